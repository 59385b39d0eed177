"""`avatar eval video`: finished videos, of this avatar or of any other system."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from avatar_nodes.commands.eval.model_options import evaluation_errors
from avatar_nodes.commands.graph_options import json_option

_SIDE = 512
"""Of the reference picture, in which the person is recognised."""


@click.command("video")
@click.argument(
    "videos", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--reference",
    metavar="NAME|FILE",
    help="A person of `avatar people`, or a picture. Default: the first face of each video.",
)
@click.option(
    "--words",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with what is said, English, numbers written out. Default: NAME.txt beside NAME.mp4,"
    " else what the avatar understands of it.",
)
@json_option
def command(
    videos: Sequence[Path], reference: str | None, words: Path | None, json_file: Path | None
) -> None:
    """Does the mouth of a finished VIDEO follow its sound, and does the person stay the person?

    For comparing systems: any file with a face and a voice. The words are aligned with the sound,
    and the mouth is found by landmarks of faces, so that nothing of this model judges.
    """
    with evaluation_errors():
        from avatar_nodes.decoding.reference_picture import framed_reference
        from avatar_nodes.evaluation.report import markdown_rows, write_json
        from avatar_nodes.evaluation.video import embedding_of, judge_video, known_speech, watch
        from avatar_nodes.judging.faces import FaceJudge
        from avatar_nodes.profile.people import reference_file

        faces, of_whom = FaceJudge(), None
        if reference is not None:
            framed = framed_reference(reference_file(reference), width=_SIDE, height=_SIDE)
            of_whom = embedding_of(framed.pixels, faces)
        rows = {}
        for number, video in enumerate(videos, start=1):
            click.echo(f"{number}/{len(videos)} {video.name}", err=True)
            speech = known_speech(video, _words_of(video, words))
            rows[str(video)] = judge_video(list(watch(video, faces)), speech, reference=of_whom)
    click.echo(markdown_rows("video", rows))
    if json_file is not None:
        write_json(json_file, rows)


def _words_of(video: Path, words: Path | None) -> str:
    """What is said in a video: of a file, or recognised."""
    from avatar_nodes.judging.footage import JudgeError

    file = words or video.with_suffix(".txt")
    if file.is_file():
        return file.read_text(encoding="utf-8")
    from avatar_nodes.hearing.file_hearing import hear_files
    from avatar_nodes.hearing.recognition.backends import open_recogniser
    from avatar_nodes.hearing.voice_activity import SileroVoiceActivity

    ear = open_recogniser("auto", language="en", on_lack=lambda line: click.echo(line, err=True))
    turns = hear_files([video], recogniser=ear, voice=SileroVoiceActivity())
    heard = " ".join(turn.text for _, turn in turns)
    if not heard.strip():
        raise JudgeError(f"{video}: no words were understood; write them into {video.stem}.txt")
    click.echo(f"{video.name}: understood: {heard}", err=True)
    return heard
