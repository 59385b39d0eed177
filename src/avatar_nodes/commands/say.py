"""`avatar say`: lets a running avatar say something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from avatar_nodes.commands.graph_options import plain_errors, require_ros
from avatar_nodes.text.words import clean_text, has_words


@click.command("say")
@click.argument("text", required=False, default="")
@click.option(
    "--audio",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Speak this sound file instead of a text.",
)
@click.option("--language", default="", help="Language of the text (en, de-DE); default: its own.")
@click.option("--interrupt", is_flag=True, help="Cut off what is being said, instead of waiting.")
@click.option(
    "--namespace", default="/avatar", show_default=True, help="ROS namespace of the avatar."
)
def command(text: str, audio: Path | None, language: str, interrupt: bool, namespace: str) -> None:
    """Let the avatar that is up in mode converse say TEXT; Ctrl-C or SIGTERM stops it.

    Ends when it has been said.
    """
    text = clean_text(text)
    if has_words(text) == (audio is not None):
        raise click.UsageError("expected a text, or --audio FILE")
    require_ros()
    from avatar_msgs.action import Say
    from avatar_nodes.client.action_request import ActionRequest, ActionRequestError
    from avatar_nodes.sound.audio_file import GRAPH_RATE, AudioFileError, read_audio_file
    from avatar_nodes.wire import topics
    from avatar_nodes.wire.audio import audio_to_msg

    goal = Say.Goal(text=text, language=language, interrupt=interrupt)

    def tell(feedback: Any) -> None:
        click.echo(f"\r{feedback.elapsed:.1f} of {feedback.total:.1f} s", err=True, nl=False)

    with plain_errors(ActionRequestError, AudioFileError):
        if audio is not None:
            goal.audio = audio_to_msg(
                read_audio_file(audio), stream="say", sample_rate=GRAPH_RATE, first_sample=0,
                end_of_stream=True,
            )  # fmt: skip
        with ActionRequest(topics.SAY, namespace) as request:
            try:
                result = request.run(goal, tell)
            except KeyboardInterrupt:
                raise click.ClickException("stopped") from None
    click.echo(err=True)
    if not result.success:
        raise click.ClickException(result.message)
    click.echo(f"said in {result.duration:.1f} s")
