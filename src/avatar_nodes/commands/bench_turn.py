"""`avatar bench turn`: how soon the avatar answers, and how soon it stops."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from avatar_nodes.commands.graph_options import plain_errors, require_ros


@click.command("turn")
@click.option(
    "--profile",
    "profile_name",
    default="tiny",
    show_default=True,
    metavar="NAME|FILE",
    help="Profile: a shipped one by name, or a YAML file.",
)
@click.option(
    "--turns", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Questions."
)
@click.option(
    "--interrupt-every",
    type=click.IntRange(0),
    default=4,
    show_default=True,
    help="Every so many turns the visitor speaks into the reply; 0: never.",
)
@click.option(
    "--question",
    "questions",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Sound file of a question; may be repeated. Default: the shipped visitor's.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures to this file, too.",
)
def command(
    profile_name: str,
    turns: int,
    interrupt_every: int,
    questions: tuple[Path, ...],
    json_file: Path | None,
) -> None:
    """Let a visitor ask and interrupt the avatar, in real time, and print how long it took."""
    require_ros()
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    from avatar_nodes.graph import Graph
    from avatar_nodes.machine.description import describe_machine
    from avatar_nodes.profile import load_profile
    from avatar_nodes.resources import share_path
    from avatar_nodes.scripted_conversation import TOPIC
    from avatar_nodes.speech.audio_file import AudioFileError, read_audio_file
    from avatar_nodes.turn_benchmark import TurnBenchmark
    from avatar_nodes.virtual_visitor import VisitorError

    machine = describe_machine()
    with plain_errors(AudioFileError, VisitorError):
        files = questions or sorted(share_path("samples", "visitor").glob("*.wav"))
        graph = Graph.from_profile(
            load_profile(profile_name),
            mode="converse",
            namespace=f"/bench_{os.getpid()}",
            audio=f"topic:{TOPIC}",
        )
        benchmark = TurnBenchmark(
            graph,
            [read_audio_file(file) for file in files],
            turns=turns,
            interrupt_every=interrupt_every,
            tell=lambda line: click.echo(line, err=True),
            log_level="error",
            own_namespace=True,
        )
        figures = benchmark.run().as_dict()
    result: dict[str, Any] = {"profile": profile_name, **figures, "machine": machine}
    _print(result)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _print(result: dict[str, Any]) -> None:
    machine = result["machine"]
    click.echo(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_1min']}")
    click.echo("\n| figure | value |\n|---|---|")
    for name, value in result.items():
        if name not in ("profile", "machine", "parts_s_p50"):
            click.echo(f"| {name} | {'-' if value is None else value} |")
    for name, value in result["parts_s_p50"].items():
        click.echo(f"| {name} s p50 | {value} |")
