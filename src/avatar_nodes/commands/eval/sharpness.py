"""`avatar eval sharpness`: faces, hands and things against the truth."""

from __future__ import annotations

import click

from avatar_nodes.commands.eval.model_options import (
    EvalOptions,
    ModelUnderTest,
    eval_options,
    evaluation_errors,
    split_option,
    tell,
    world_option,
)


@click.command("sharpness")
@eval_options
@click.option(
    "--people",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="People who wave, hold a thumb up and show a thing, in clips of 5.8 s.",
)
@split_option
@world_option
def command(shared: EvalOptions, people: int, split: str, world: str) -> None:
    """Are faces, hands and things as sharp as in truth: 1 is, below it they are smeared.

    Energy of the gradients within the boxes in which the truth shows them, as a share of the
    truth's; above 1 it is noise.
    """
    with evaluation_errors():
        from avatar_nodes.evaluation.performers import (
            Performer,
            ReconstructionPerformer,
            StillPerformer,
            TruthPerformer,
        )
        from avatar_nodes.evaluation.report import markdown_rows
        from avatar_nodes.evaluation.sharpness import evaluate_sharpness

        under_test = ModelUnderTest(shared, world)
        systems: list[Performer] = [
            under_test.stream(),
            ReconstructionPerformer(under_test.checkpoint, under_test.decoder()),
            StillPerformer(),
            TruthPerformer(),
        ]
        figures = evaluate_sharpness(
            systems, people=people, split=split, timing=under_test.timing, film=under_test.film,
            tell=tell,
        )  # fmt: skip
    under_test.print(figures, markdown_rows("system", figures["systems"]))
