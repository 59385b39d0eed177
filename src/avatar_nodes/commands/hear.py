"""`avatar hear`: what a recogniser understands of sound files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from avatar_nodes.commands.graph_options import plain_errors


@click.command("hear")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--recogniser",
    type=click.Choice(["auto", "pocketsphinx", "whisper"]),
    default="auto",
    show_default=True,
    help="`auto`: whisper where its model is on this machine, pocketsphinx elsewhere.",
)
@click.option("--model", default="", help="Folder of its model, or a name of `avatar models`.")
@click.option(
    "--language", default="", help="Spoken language, BCP 47. Default: the model's, found."
)
@click.option("--phrase", "phrases", multiple=True, help="A likely sentence. May be repeated.")
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="CPU threads of the recogniser.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a turn.")
def command(
    files: Sequence[Path],
    recogniser: str,
    model: str,
    language: str,
    phrases: Sequence[str],
    threads: int,
    as_json: bool,
) -> None:
    """Print the turns that the avatar would hear in each FILE: when, what, and what it took.

    Times are seconds of the file; in brackets the time that the text took in the pause that ended
    the turn, and the processor's time for all of the turn.
    """
    from avatar_nodes.hearing.audio_processing import AudioProcessingError, automatic_gain
    from avatar_nodes.hearing.file_hearing import hear_files
    from avatar_nodes.hearing.recognition.backends import open_recogniser
    from avatar_nodes.hearing.recognition.recogniser import RecogniserError
    from avatar_nodes.hearing.turn_end import stored_turn_end
    from avatar_nodes.hearing.voice_activity import SileroVoiceActivity, VoiceActivityError
    from avatar_nodes.sound.audio_file import AudioFileError

    with plain_errors(AudioFileError, AudioProcessingError, RecogniserError, VoiceActivityError):
        ear = open_recogniser(
            recogniser,
            model=model,
            phrases=phrases,
            language=language,
            threads=threads,
            on_lack=lambda line: click.echo(line, err=True),
        )
        turns = hear_files(
            files,
            recogniser=ear,
            voice=SileroVoiceActivity(),
            gain=automatic_gain(),
            turn_end=stored_turn_end(),
        )
        for file, turn in turns:
            if as_json:
                told = {"file": str(file), **asdict(turn)}
                click.echo(json.dumps(told, ensure_ascii=False))
            else:
                when = f"{turn.start_s:6.2f} {turn.end_s:6.2f}"
                took = f"[{turn.took_s:.2f} s, CPU {turn.cpu_s:.2f} s]"
                click.echo(f"{file.name}: {when}  {turn.text or '(no words)'}  {took}")
