"""`avatar eval prompt`: how soon a new prompt is seen, with and without Cache-Switching."""

from __future__ import annotations

import click

from avatar_nodes.commands.eval_model import (
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
    help="People by whom every action is begun.",
)
@click.option(
    "--blocks",
    type=click.IntRange(6),
    default=8,
    show_default=True,
    help="Length of a stream in blocks of 0.48 s; the prompt changes after three.",
)
def command(shared: EvalOptions, people: int, blocks: int) -> None:
    """How soon is a new prompt visible, and does the picture jump where it begins?

    A twin stream keeps its prompt; what differs from it is the new prompt's doing. `border` is the
    step in latents where the prompt changes, `largest_step` the largest of it and the four after
    it, `ordinary_border` what is usual where nothing changes; the row "truth" is of the world's own
    videos of these clips. A switch to the same prompt shows what the rebuild of the
    caches does by itself: it should leave no seam.
    """
    with evaluation_errors():
        import torch

        from avatar_nodes.evaluation.actions import action_clips
        from avatar_nodes.evaluation.prompt_change import SAME_PROMPT, measure_prompt_changes
        from avatar_nodes.evaluation.report import markdown_figures, markdown_rows
        from avatar_nodes.model.tiny_vae import channels_last, load_vae

        under_test = ModelUnderTest(shared)
        vae = channels_last(load_vae(under_test.checkpoint / "vae").to(torch.bfloat16))
        actions = [a for a in under_test.judges.actions().actions if a != "rest"]
        names = {"without": False, "with Cache-Switching": True}
        streams = {n: under_test.stream(cache_switching=on) for n, on in names.items()}
        figures = measure_prompt_changes(
            {name: stream.pipeline for name, stream in streams.items()},
            next(iter(streams.values())).prompts, list(action_clips(actions, people)),
            vae, blocks=blocks, switching="with Cache-Switching", tell=tell,
        )  # fmt: skip
    rows = {name: figures[name] for name in (*names, SAME_PROMPT, "truth")}
    under_test.print(figures, f"{markdown_rows('stream', rows)}\n\n{markdown_figures(figures)}")
