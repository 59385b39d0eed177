"""`avatar eval sync`: lip-sync against the truth, the baselines and the literature's measure."""

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
    from avatar_nodes.judging.clip_sync import SyncJudge


@click.command("sync")
@eval_options
@clip_options(clips=8, blocks=16)
@click.option(
    "--unheard",
    type=click.IntRange(0),
    default=4,
    show_default=True,
    help="Clips in voices of espeak-ng that no training clip has.",
)
@click.option(
    "--others",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Clips by synthesisers that no training clip has: Piper and Festival (they have to be "
    "there: `avatar models fetch piper-joe`, apt-get install festival) and a speaker of Kokoro.",
)
@click.option(
    "--speech",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of recordings of human beings, NAME.wav with its English words in NAME.txt.",
)
@split_option
@world_option
@click.option(
    "--syncnet",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Weights of the public SyncNet (syncnet_v2), for Sync-C and Sync-D as published.",
)
@teacher_options
@click.option("--baselines/--no-baselines", default=True, help="Measure the baselines as well.")
@click.option("--strips", type=click.Path(path_type=Path), help="Folder for picture strips.")
def command(
    shared: EvalOptions, clips: int, blocks: int, unheard: int, others: int, speech: Path | None,
    split: str, world: str, syncnet: Path | None, baselines: bool, strips: Path | None,
    teacher: Path | None, teacher_steps: int, teacher_blocks: int,
    teacher_guidance: tuple[float, float],
) -> None:  # fmt: skip
    """Does the mouth follow the speech: aperture measured from pixels against the true one, and
    rounding, too, of lifelike people.

    Sync-C and Sync-D are those of the judge trained on the tiny world, whose vectors have length 1:
    compare them with the rows of the same table, not with figures of the public SyncNet.
    """
    with evaluation_errors():
        from avatar_nodes.evaluation.performers import (
            NeighbourPerformer,
            StillPerformer,
            TruthPerformer,
        )
        from avatar_nodes.evaluation.report import markdown_figures, markdown_rows
        from avatar_nodes.evaluation.sync import evaluate_sync, voice_rows

        under_test = ModelUnderTest(shared, world)
        voices = voice_rows(
            unheard=unheard, others=others, speech=speech, blocks=blocks, split=split,
            timing=under_test.timing, film=under_test.film,
        )  # fmt: skip
        model = under_test.stream()
        judge, missing = _judge(under_test, syncnet)
        beside = under_test.teachers(teacher, teacher_steps, teacher_blocks, teacher_guidance)
        if baselines:
            beside += [TruthPerformer(), StillPerformer()]
        if baselines and not under_test.lifelike:
            beside.append(NeighbourPerformer(timing=under_test.timing))
        figures = evaluate_sync(
            model, beside, clips=clips, blocks=blocks, voices=voices, split=split, judge=judge,
            reader=under_test.judges.mouth() if under_test.lifelike else None, strips=strips,
            timing=under_test.timing, film=under_test.film, tell=tell,
        )  # fmt: skip
    figures["sync_judge"] = "public syncnet_v2" if syncnet else "tiny world"
    if missing:
        figures["not_measured"] = missing
    table = markdown_figures(figures)
    if figures["baselines"]:
        rows = {model.name: figures, **figures["baselines"]}
        columns = next(iter(figures["baselines"].values())).keys()
        table += "\n\n" + markdown_rows(
            "system", {name: {k: row[k] for k in columns} for name, row in rows.items()}
        )
    if voices:
        spoken = {row.name.replace("_", " "): figures[f"{row.name}s"] for row in voices}
        table += "\n\n" + markdown_rows("voices", spoken)
    under_test.print(figures, table)


def _judge(
    under_test: ModelUnderTest, syncnet: Path | None
) -> tuple[SyncJudge | None, dict[str, str]]:
    """The judge of Sync-C and Sync-D, or why there is none."""
    from avatar_nodes.judging.footage import JudgeError

    if syncnet is not None:
        from avatar_nodes.judging.public_syncnet import load_public_syncnet

        return load_public_syncnet(syncnet), {}
    try:
        return under_test.judges.sync(), {}
    except JudgeError as error:
        return None, {"sync_c, sync_d": str(error)}
