"""`avatar render`: one sound file becomes one video file."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from avatar_nodes.commands.graph_options import graph_options, plain_errors, require_ros
from avatar_nodes.graph.discovery import stay_local

if TYPE_CHECKING:
    from avatar_nodes.commands.progress import Progress
    from avatar_nodes.graph.graph import Graph


@click.command("render")
@click.option(
    "--audio",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Speech: a sound file, or a video with sound, of any kind.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Video file to write (MP4: H.264 and AAC).",
)
@click.option(
    "--whole-sound/--windows",
    default=True,
    show_default=True,
    help="An audio model that hears both ways (wav2vec) hears a file of up to a minute as a whole;"
    " or in windows, as when it streams.",
)
@click.option("--in-process", is_flag=True, help="Run all in this process, without ROS.")
@click.option("--namespace", help="ROS namespace. Default: one of its own.")
@graph_options(log_level="warn")
def command(
    profile_name: str,
    reference: str | None,
    prompt: str | None,
    seed: int | None,
    placement: str,
    params_files: tuple[Path, ...],
    log_level: str,
    audio: Path,
    out: Path,
    whole_sound: bool,
    in_process: bool,
    namespace: str | None,
) -> None:
    """Turn a sound file into a video of the avatar, as fast as the machine allows.

    The video comes out of the graph of ROS 2 nodes, written by a recorder that subscribes to the
    public topics; with --in-process out of one loop, which computes the same frames.
    """
    from avatar_nodes.client.video_summary import VideoFileError, summarise_video
    from avatar_nodes.commands.progress import Progress
    from avatar_nodes.graph.graph import Graph
    from avatar_nodes.profile import hearing_all, load_profile
    from avatar_nodes.sound.audio_file import AudioFileError, check_audio_file

    with plain_errors(AudioFileError, VideoFileError):
        sound = check_audio_file(audio)
        _check_output(out)
        profile = load_profile(profile_name)
        if whole_sound:
            profile = hearing_all(profile, sound.duration_s)
        graph = Graph.from_profile(
            profile,
            mode="render",
            namespace=namespace or f"/render_{os.getpid()}",
            audio=audio,
            reference=reference,
            prompt=prompt,
            seed=seed,
            out=out,
            placement=placement,  # type: ignore[arg-type]
        )
        progress = Progress(sound.duration_s)
        began = time.monotonic()
        if in_process:
            _render_in_process(graph, audio, out, progress)
        else:
            _render_with_graph(graph, params_files, log_level, progress, namespace is None)
        took = time.monotonic() - began
        summary = summarise_video(out)
    click.echo(f"{out}: {summary}")
    click.echo(f"{sound.duration_s:.2f} s of sound in {took:.1f} s")


def _check_output(out: Path) -> None:
    """Say at once, and not after minutes, that the video has no place."""
    folder = out.absolute().parent
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise click.ClickException(f"{folder}: not writable")


def _render_with_graph(
    graph: Graph,
    params_files: tuple[Path, ...],
    log_level: str,
    progress: Progress,
    own_namespace: bool,
) -> None:
    require_ros()
    # Nobody else need see the topics of a rendering.
    stay_local()
    from avatar_nodes.graph.runner import GraphRunner

    first, block_s = graph.profile.stream.first_block, graph.profile.timing.block_s
    runner = GraphRunner(
        graph,
        params_files=params_files,
        log_level=log_level,
        own_namespace=own_namespace,
        on_state=lambda state: progress.update((state.block - first + 1) * block_s),
    )
    try:
        outcome = runner.run()
    finally:
        progress.close()
    if not outcome.finished:
        raise click.ClickException(outcome.reason)


def _render_in_process(graph: Graph, audio: Path, out: Path, progress: Progress) -> None:
    from avatar_nodes.pipeline.in_process import InProcessError, record_in_process

    try:
        record_in_process(graph, audio, out, progress.update)
    except InProcessError as error:
        raise click.ClickException(str(error)) from None
    finally:
        progress.close()
