"""`avatar converse`: a scripted visitor talks with the avatar, into a video."""

from __future__ import annotations

import os
from pathlib import Path

import click

from avatar_nodes.commands.graph_options import graph_options, plain_errors, require_ros
from avatar_nodes.graph.discovery import stay_local


@click.command("converse")
@click.argument(
    "questions", nargs=-1, required=True, metavar="QUESTION...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)  # fmt: skip
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Video file to write (MP4: H.264 and AAC); default: none.",
)
@graph_options(log_level="warn", prompt=False)
def command(
    profile_name: str,
    reference: str | None,
    seed: int | None,
    placement: str,
    params_files: tuple[Path, ...],
    log_level: str,
    questions: tuple[Path, ...],
    out: Path | None,
) -> None:
    """Let a visitor ask the avatar the QUESTIONs, sound files, in real time.

    Prints what was understood and answered, and how long each answer took.
    """
    require_ros()
    # Nobody else need see this conversation.
    stay_local()
    from avatar_nodes.client.scripted_conversation import ScriptedConversation, visited_graph
    from avatar_nodes.client.video_summary import VideoFileError, summarise_video
    from avatar_nodes.client.visitor import VisitorError
    from avatar_nodes.profile import load_profile
    from avatar_nodes.sound.audio_file import AudioFileError
    from avatar_nodes.timeline.turn_timeline import describe

    with plain_errors(AudioFileError, VideoFileError, VisitorError):
        if out is not None:
            out.absolute().parent.mkdir(parents=True, exist_ok=True)
        graph = visited_graph(
            load_profile(profile_name),
            namespace=f"/converse_{os.getpid()}",
            reference=reference,
            seed=seed,
            out=out,
            placement=placement,
        )
        conversation = ScriptedConversation(
            graph,
            questions,
            on_line=lambda who, text: click.echo(f"{who}: {text}"),
            params_files=params_files,
            log_level=log_level,
            own_namespace=True,
        )
        click.echo("starting the avatar ...", err=True)
        conversation.run()
        click.echo()
        for timeline in conversation.timelines:
            click.echo(describe(timeline))
        if out is not None:
            click.echo(f"{out}: {summarise_video(out)}")
