"""`avatar eval quality`: pictures against the truth, and scores of published judges."""

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
    from avatar_nodes.evaluation.published_quality import QAlign, VideoFeatures

_SHORT = {"model": "student", "teacher": "teacher", "autoencoder": "vae"}
"""Prefixes of the keys in the JSON file."""


@click.command("quality")
@eval_options
@clip_options(clips=8, blocks=8)
@split_option
@world_option
@teacher_options
@click.option("--qalign", is_flag=True, help="IQA and ASE by Q-Align (needs pyiqa and weights).")
@click.option(
    "--fvd",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TorchScript I3D (i3d_torchscript.pt) for the Frechet Video Distance.",
)
def command(
    shared: EvalOptions, clips: int, blocks: int, split: str, world: str, teacher: Path | None,
    teacher_steps: int, teacher_blocks: int, teacher_guidance: tuple[float, float], qalign: bool,
    fvd: Path | None,
) -> None:  # fmt: skip
    """How good are the pictures: PSNR and SSIM against the truth, Frechet distances to it, how
    still they keep what is still, how sharp what moves.

    The Frechet distances are in the features of the judges trained here, and are no FID.
    """
    with evaluation_errors():
        from avatar_nodes.evaluation.performers import (
            NeighbourPerformer,
            ReconstructionPerformer,
            StillPerformer,
            TruthPerformer,
        )
        from avatar_nodes.evaluation.quality import against, evaluate_quality
        from avatar_nodes.evaluation.report import markdown_rows
        from avatar_nodes.judging.footage import JudgeError

        under_test = ModelUnderTest(shared, world)
        model = under_test.stream()
        others = under_test.teachers(teacher, teacher_steps, teacher_blocks, teacher_guidance)
        others.append(ReconstructionPerformer(under_test.checkpoint, under_test.decoder()))
        others += [StillPerformer(), TruthPerformer()]
        if not under_test.lifelike:
            others.append(NeighbourPerformer(timing=under_test.timing))
        missing: dict[str, str] = {}
        identity, actions = None, None
        try:
            identity, actions = under_test.judges.identity(), under_test.judges.actions()
        except JudgeError as error:
            missing["frechet distances"] = str(error)
        pictures, videos = _published(qalign, fvd, missing)
        figures = evaluate_quality(
            [model, *others], clips=clips, blocks=blocks, split=split, identity=identity,
            actions=actions, pictures=pictures, videos=videos, timing=under_test.timing,
            film=under_test.film, tell=tell,
        )  # fmt: skip
    if teacher is None:
        missing["teacher_psnr"] = "no --teacher was given"
    for name, row in figures["systems"].items():
        for key, value in row.items():
            if name in _SHORT:
                figures[f"{_SHORT[name]}_{key}"] = value
    if teacher is not None:
        figures["against_teacher"] = against(figures["systems"], "model", "teacher")
    figures["not_measured"] = missing
    under_test.print(figures, markdown_rows("system", figures["systems"]))


def _published(
    qalign: bool, fvd: Path | None, missing: dict[str, str]
) -> tuple[list[QAlign], VideoFeatures | None]:
    """The published judges that were asked for; `missing` gets the reasons for absent ones."""
    from avatar_nodes.evaluation.published_quality import VideoFeatures, load_qalign
    from avatar_nodes.judging.footage import JudgeError

    pictures: list[QAlign] = []
    videos = None
    try:
        if qalign:
            pictures = load_qalign()
        else:
            missing["iqa, ase"] = "--qalign was not given"
    except JudgeError as error:
        missing["iqa, ase"] = str(error)
    try:
        if fvd is not None:
            videos = VideoFeatures(fvd)
        else:
            missing["fvd"] = "no --fvd weights were given"
    except JudgeError as error:
        missing["fvd"] = str(error)
    return pictures, videos
