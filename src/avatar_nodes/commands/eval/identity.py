"""`avatar eval identity`: similarity to the reference picture over time, and colour drift."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from avatar_nodes.commands.eval.model_options import (
    EvalOptions,
    ModelUnderTest,
    clip_options,
    eval_options,
    evaluation_errors,
    split_option,
    teacher_options,
    tell,
    world_option,
)

if TYPE_CHECKING:
    from avatar_nodes.judging.identity_net import IdentityJudge


@click.command("identity")
@eval_options
@clip_options(clips=6, blocks=24)
@click.option(
    "--dino",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of DINO weights in transformers' format, instead of the tiny world's judge, or of"
    " the face embedding that judges lifelike people.",
)
@split_option
@world_option
@teacher_options
def command(
    shared: EvalOptions, clips: int, blocks: int, dino: Path | None, split: str,
    world: str, teacher: Path | None, teacher_steps: int, teacher_blocks: int,
    teacher_guidance: tuple[float, float],
) -> None:  # fmt: skip
    """Does the person stay the person: similarity to the reference picture, 1 for the same.

    `start` and `end` are the first and last two seconds of a clip; colours in levels of 0 to 255.
    """
    with evaluation_errors():
        from avatar_nodes.evaluation.dino import DinoJudge
        from avatar_nodes.evaluation.identity import evaluate_identity
        from avatar_nodes.evaluation.performers import (
            ReconstructionPerformer,
            StillPerformer,
            TruthPerformer,
        )
        from avatar_nodes.evaluation.report import markdown_figures, markdown_rows

        under_test = ModelUnderTest(shared, world)
        judge = _judge(under_test) if dino is None else DinoJudge(dino)
        model = under_test.stream()
        others = under_test.teachers(teacher, teacher_steps, teacher_blocks, teacher_guidance)
        others += [TruthPerformer(), StillPerformer()]
        others.append(ReconstructionPerformer(under_test.checkpoint, under_test.decoder()))
        figures = evaluate_identity(
            [model, *others], judge, clips=clips, blocks=blocks, split=split,
            timing=under_test.timing, film=under_test.film, tell=tell,
        )  # fmt: skip
    rows = {model.name: figures, **figures["baselines"]}
    columns = figures["baselines"]["truth"].keys()
    table = markdown_rows("system", {n: {k: row[k] for k in columns} for n, row in rows.items()})
    context = {"other_people": figures.get("other_people"), "judge": figures["judge"]}
    under_test.print(figures, f"{table}\n\n{markdown_figures(context)}")


def _judge(under_test: ModelUnderTest) -> IdentityJudge:
    """Of drawn people the one trained here; of lifelike ones a published embedding of faces."""
    if not under_test.lifelike:
        return under_test.judges.identity()
    from avatar_nodes.judging.faces import FaceJudge

    return FaceJudge()
