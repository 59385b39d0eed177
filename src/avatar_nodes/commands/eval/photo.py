"""`avatar eval photo`: pictures of somebody, brought to speech."""

from __future__ import annotations

from pathlib import Path

import click

from avatar_nodes.commands.eval.model_options import (
    EvalOptions,
    ModelUnderTest,
    clip_options,
    eval_options,
    evaluation_errors,
    split_option,
    tell,
)


@click.command("photo")
@eval_options
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of pictures with a face (PNG, JPEG, WebP, AVIF).",
)
@clip_options(clips=2, blocks=12)
@click.option(
    "--speech",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Speak with these recordings, NAME.wav with its English words in NAME.txt.",
)
@split_option
def command(
    shared: EvalOptions, pictures: Path, clips: int, blocks: int, speech: Path | None, split: str
) -> None:
    """Does a picture come to life: its mouth follows, it stays the person, nothing tears.

    Judged by landmarks and an embedding of faces that know nothing of this model; of the embedding
    two pictures of one person are nearer than 0.6.
    """
    with evaluation_errors():
        from avatar_nodes.evaluation.photo import evaluate_photos, read_pictures
        from avatar_nodes.evaluation.report import markdown_rows
        from avatar_nodes.judging.faces import FaceJudge

        faces = FaceJudge()
        under_test = ModelUnderTest(shared, "photo")
        video = under_test.profile.video
        found, refused = read_pictures(pictures, width=video.width, height=video.height)
        model = under_test.stream()
        figures = evaluate_photos(
            model, found, faces, clips=clips, blocks=blocks, speech=speech, split=split,
            timing=under_test.timing, tell=tell,
        )  # fmt: skip
    figures["not_measured"] = refused
    rows = {**figures["pictures"], "mean": figures, **figures["baselines"]}
    columns = next(iter(figures["pictures"].values())).keys()
    table = markdown_rows(
        "picture", {name: {key: row.get(key) for key in columns} for name, row in rows.items()}
    )
    under_test.print(figures, table)
