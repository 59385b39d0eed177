"""`avatar eval memory`: does a thing look the same when it comes back?"""

from __future__ import annotations

from typing import Any

import click

from avatar_nodes.commands.eval.model_options import (
    EvalOptions,
    ModelUnderTest,
    eval_options,
    evaluation_errors,
    tell,
)

_ROWS: dict[str, dict[str, Any]] = {
    "with memory": {"enabled": True},
    "without long memory": {"enabled": True, "long": 0},
    "key frames by lot": {"enabled": True, "selection": "random"},
    "without memory": {"enabled": False},
}


@click.command("memory")
@eval_options
@click.option(
    "--clips",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="People who show a thing twice.",
)
@click.option(
    "--hidden",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="Blocks between the two times: more than past blocks and short memory hold.",
)
@click.option(
    "--named",
    is_flag=True,
    help="The prompt names the thing the second time, too; else it says 'it'.",
)
@click.option(
    "--row",
    "wanted",
    multiple=True,
    type=click.Choice(list(_ROWS)),
    help="Only this row. Repeatable.",
)
def command(
    shared: EvalOptions, clips: int, hidden: int, named: bool, wanted: tuple[str, ...]
) -> None:
    """Is a thing that was shown, hidden and shown again the same in kind and colour?

    Of all 64 things of the tiny world, and none, which would look most like the picture? `first_*`
    and `again_*` compare that with the truth, `same_*` with the first time; `error` is the mean
    difference from the right one, in levels of 255, `held` how often memory had a picture of it.
    """
    with evaluation_errors():
        from avatar_nodes.evaluation.reappearance import evaluate_memory, least_hidden
        from avatar_nodes.evaluation.report import markdown_rows

        under_test = ModelUnderTest(shared)
        past_blocks, lag, short = under_test.reach()
        least = least_hidden(
            past_blocks=past_blocks, lag=lag, short=short, timing=under_test.timing
        )
        if hidden < least:
            raise click.BadParameter(
                f"expected at least {least}, got {hidden}: so long {past_blocks} past blocks and"
                f" {short} latent frames of short memory, {lag} blocks behind, hold the thing",
                param_hint="--hidden",
            )
        names = [name for name in _ROWS if not wanted or name in wanted]
        streams = {name: under_test.stream(memory=_ROWS[name]) for name in names}
        figures = evaluate_memory(
            {name: stream.pipeline for name, stream in streams.items()},
            next(iter(streams.values())).prompts,
            clips=clips, hidden=hidden, named=named, tell=tell,
        )  # fmt: skip
    rows = {name: figures[name] for name in (*names, "truth")}
    rows["chance"] = {f"again_{key}": share for key, share in figures["chance"].items()}
    under_test.print(figures, markdown_rows("system", rows))
