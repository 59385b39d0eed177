"""`avatar eval prompt`: how soon a new prompt is seen, with and without Cache-Switching."""

from __future__ import annotations

import click

from avatar_nodes.commands.eval.model_options import (
    EvalOptions,
    ModelUnderTest,
    eval_options,
    evaluation_errors,
    tell,
)


@click.command("prompt")
@eval_options
@click.option(
    "--people",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="People by whom every action is begun, ended, and made another.",
)
@click.option(
    "--blocks",
    type=click.IntRange(6),
    default=8,
    show_default=True,
    help="Length of a stream in blocks; the prompt changes after three.",
)
def command(shared: EvalOptions, people: int, blocks: int) -> None:
    """How soon is a new prompt visible, and does the picture jump where it begins?

    An action begins, ends, or becomes another. A twin stream keeps its prompt; every difference
    from it comes from the new prompt. Steps are mean absolute differences of latents from one
    latent frame (0.16 s) to the next: `border` where the prompt changes, `later_border` between
    later blocks, `twin_border` between blocks of the twin, `largest_step` of the border and the
    four after it. The row "truth" is of the world's own videos of these clips. `jump` is the excess
    of the step at the change over the truth's, less that of steps at ordinary borders; `sooner_s`
    is the time by which a change is visible sooner than in the first row; `_se` are their standard
    errors. A switch to the same prompt shows the effect of rebuilding the caches alone: it should
    leave no seam.
    """
    with evaluation_errors():
        import torch

        from avatar_nodes.evaluation.prompt_change import measure_prompt_changes
        from avatar_nodes.evaluation.prompt_change_clips import prompt_change_clips
        from avatar_nodes.evaluation.prompt_change_figures import change_figures
        from avatar_nodes.evaluation.report import markdown_rows
        from avatar_nodes.model.tiny_vae import channels_last, load_vae

        under_test = ModelUnderTest(shared)
        vae = channels_last(load_vae(under_test.checkpoint / "vae").to(torch.bfloat16))
        actions = [a for a in under_test.judges.actions().actions if a != "rest"]
        names = {"without": False, "with Cache-Switching": True}
        streams = {n: under_test.stream(cache_switching=on) for n, on in names.items()}
        found = measure_prompt_changes(
            {name: stream.pipeline for name, stream in streams.items()},
            next(iter(streams.values())).prompts,
            prompt_change_clips(actions, people, blocks=blocks, timing=under_test.timing),
            vae, tell=tell,
        )  # fmt: skip
    figures = change_figures(found)
    under_test.print(figures, "\n\n".join(markdown_rows(k, rows) for k, rows in figures.items()))
