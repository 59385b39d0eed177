"""`avatar up`: a live avatar until Ctrl-C."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from avatar_nodes.commands.graph_options import graph_options, plain_errors, require_ros


@click.command("up")
@graph_options(log_level="info")
@click.option(
    "--mode",
    type=click.Choice(["puppet", "converse"]),
    default="puppet",
    show_default=True,
    help="`puppet`: the voice that comes in moves the avatar. `converse`: the avatar answers it.",
)
@click.option(
    "--audio",
    metavar="FILE|device:NAME|topic:NAME",
    help="The voice that comes in: a sound file played in real time, a sound device"
    " (`device:` is the default one), or a topic of AudioChunk. Default: topic:audio_in.",
)
@click.option(
    "--namespace", default="/avatar", show_default=True, help="ROS namespace of the avatar."
)
@click.option(
    "--kiosk/--no-kiosk",
    default=None,
    help="Serve the web page, http://127.0.0.1:8080 unless the profile's section `kiosk` says"
    " otherwise: picture, sound, microphone, an operator's panel. Default: as the profile has it.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="NODE",
    help="Run this node alone; may be repeated. The others run on other machines.",
)
@click.option(
    "--without",
    multiple=True,
    metavar="NODE",
    help="Leave this node to another machine, or its place to a node of yours; may be repeated.",
)
@click.option(
    "--network/--no-network",
    default=None,
    help="Let ROS 2 nodes of the whole subnet find the avatar, or those of this machine alone."
    " Default: as the environment (ROS_AUTOMATIC_DISCOVERY_RANGE) or the profile has it; else this"
    " machine alone.",
)
@click.option("--no-respawn", is_flag=True, help="End when a node ends, instead of restarting it.")
@click.option("--no-autostart", is_flag=True, help="Leave the nodes unconfigured.")
def command(
    profile_name: str,
    reference: str | None,
    prompt: str | None,
    seed: int | None,
    placement: str,
    params_files: tuple[Path, ...],
    log_level: str,
    mode: str,
    audio: str | None,
    namespace: str,
    kiosk: bool | None,
    only: tuple[str, ...],
    without: tuple[str, ...],
    network: bool | None,
    no_respawn: bool,
    no_autostart: bool,
) -> None:
    """Run an avatar until Ctrl-C.

    Starts every node of the graph as a process, restarts one that ends, and stops them in order.
    Video and sound come out on the topics image_raw and audio below the namespace.
    """
    require_ros()
    from avatar_nodes.graph.discovery import discovery_environment, exposure
    from avatar_nodes.graph.graph import Graph
    from avatar_nodes.graph.runner import GraphRunner
    from avatar_nodes.graph.service_manager import ServiceManager
    from avatar_nodes.graph.supervisor import NAME
    from avatar_nodes.graph.watchdog import Health
    from avatar_nodes.profile import load_profile
    from avatar_nodes.wire import topics

    with plain_errors():
        graph = Graph.from_profile(
            load_profile(profile_name),
            mode=mode,  # type: ignore[arg-type]
            namespace=namespace,
            audio=audio,
            reference=reference,
            prompt=prompt,
            seed=seed,
            placement=placement,  # type: ignore[arg-type]
            kiosk=kiosk,
            autostart=not no_autostart,
            respawn=False if no_respawn else None,
        ).part(only=only, without=without)
        opened = graph.profile.network.open
        os.environ.update(discovery_environment(opened=opened, asked=network))
        image, audio_out = (
            f"{namespace}/{topics.IMAGE_RAW.name}",
            f"{namespace}/{topics.AUDIO.name}",
        )
        ready = f"ready: the avatar is on {image} and {audio_out}"
        systemd = ServiceManager(os.environ)

        def on_ready() -> None:
            runner.log.write(NAME, ready)
            systemd.ready()

        def on_health(health: Health) -> None:
            if not health.deaf:  # what is heard ill is mended here; who hears nothing is not
                systemd.alive(health.message, time.monotonic())

        runner = GraphRunner(
            graph,
            params_files=params_files,
            log_level=log_level,
            on_ready=on_ready,
            on_health=on_health,
        )
        if danger := exposure(os.environ):
            runner.log.write(NAME, f"WARNING: {danger}")
        outcome = runner.run()
    runner.log.write(NAME, outcome.reason)
    raise SystemExit(outcome.exit_code)
