"""`avatar eval stillness`: what changes in a second where the truth is still."""

from __future__ import annotations

import click

from avatar_nodes.commands.eval.model_options import (
    EvalOptions,
    ModelUnderTest,
    clip_options,
    eval_options,
    evaluation_errors,
    split_option,
    tell,
    world_option,
)


@click.command("stillness")
@eval_options
@clip_options(clips=4, blocks=8)
@split_option
@world_option
def command(shared: EvalOptions, clips: int, blocks: int, split: str, world: str) -> None:
    """Do walls and clothes stay still: levels of 0..255 that change in a second.

    Of a decoder that looks at the reference picture the rows `drawn alone` show the same latents
    without it.
    """
    with evaluation_errors():
        from avatar_nodes.evaluation.performers import (
            DecodedPerformer,
            Performer,
            ReconstructionPerformer,
        )
        from avatar_nodes.evaluation.report import markdown_rows
        from avatar_nodes.evaluation.stillness import evaluate_stillness

        under_test = ModelUnderTest(shared, world)
        model, decoder = under_test.stream(), under_test.decoder()
        systems: list[Performer] = [
            model, ReconstructionPerformer(under_test.checkpoint, decoder)
        ]  # fmt: skip
        missing = {}
        if decoder.looks_at_reference:
            alone = under_test.decoder(drawn_alone=True)
            systems += [
                DecodedPerformer(model, alone, name="model, drawn alone"),
                ReconstructionPerformer(
                    under_test.checkpoint, alone, name="autoencoder, drawn alone"
                ),
            ]
        else:
            missing["drawn alone"] = "this decoder does not look at the reference picture"
        figures = evaluate_stillness(
            systems, clips=clips, blocks=blocks, split=split, timing=under_test.timing,
            film=under_test.film, tell=tell,
        )  # fmt: skip
    figures["not_measured"] = missing
    under_test.print(figures, markdown_rows("system", figures["systems"]))
