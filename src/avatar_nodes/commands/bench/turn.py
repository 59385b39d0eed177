"""`avatar bench turn`: how soon the avatar answers, how soon it stops, whether it gets stuck."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from avatar_nodes.commands.graph_options import (
    json_option,
    plain_errors,
    profile_option,
    require_ros,
    write_figures,
)
from avatar_nodes.graph.discovery import stay_local

_TURNS = 20
_MIXED_TURNS = 200
_APART = ("profile", "machine", "parts_s_p50", "memory_samples_mib", "barge_in_leaks")


@click.command("turn")
@profile_option
@click.option(
    "--turns",
    type=click.IntRange(0, 100_000),
    help=f"Questions. Default: {_TURNS}; {_MIXED_TURNS} with --mix, none with --barge-ins.",
)
@click.option(
    "--interrupt-every",
    type=click.IntRange(0),
    default=4,
    show_default=True,
    help="Every so many turns the visitor speaks into the reply; 0: never.",
)
@click.option(
    "--barge-ins",
    type=click.IntRange(0, 100_000),
    default=0,
    show_default=True,
    help="Then so many barge-ins, in turn while the avatar is idle, listens, thinks, speaks.",
)
@click.option(
    "--mix",
    is_flag=True,
    help="The turns are a mixture: questions, spoken or typed, interruptions, coughs, nonsense;"
    " silence, noise and what the operator lets it say and do between them. Also watches that"
    " every picture has its sound.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the mixture's order."
)
@click.option(
    "--question",
    "questions",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Sound file of a question; may be repeated. Default: the shipped visitor's.",
)
@click.option(
    "--mouth/--no-mouth",
    default=None,
    help="Look at the mouth in the pictures: when it has closed after a barge-in, and whether it"
    " moves with the sound. The person must be one of the tiny world, as the shipped reference is."
    " Default: with --mix.",
)
@json_option
def command(
    profile_name: str,
    turns: int | None,
    interrupt_every: int,
    barge_ins: int,
    mix: bool,
    seed: int,
    mouth: bool | None,
    questions: tuple[Path, ...],
    json_file: Path | None,
) -> None:
    """Let a visitor ask and interrupt the avatar, in real time, and print how long it took.

    Ctrl-C ends it with the figures so far.
    """
    require_ros()
    stay_local()
    from avatar_nodes.bench.turn import script as turn_script
    from avatar_nodes.bench.turn.benchmark import TurnBenchmark
    from avatar_nodes.bench.turn.mouth_watch import MouthWatch
    from avatar_nodes.client.scripted_conversation import visited_graph
    from avatar_nodes.client.visitor import VisitorError
    from avatar_nodes.machine.description import describe_machine
    from avatar_nodes.profile import load_profile
    from avatar_nodes.profile.resources import share_path
    from avatar_nodes.sound.audio_file import AudioFileError, read_audio_file

    if turns is None:
        turns = _MIXED_TURNS if mix else 0 if barge_ins else _TURNS
    if mix:
        steps = turn_script.mixed_turns(turns, seed=seed)
    else:
        steps = turn_script.plain_turns(turns, interrupt_every=interrupt_every)
    steps += turn_script.barge_ins(barge_ins)
    if not steps:
        raise click.UsageError("nothing to do: expected --turns or --barge-ins above 0")
    machine = describe_machine()
    with plain_errors(AudioFileError, VisitorError):
        files = questions or sorted(share_path("samples", "visitor").glob("*.wav"))
        benchmark = TurnBenchmark(
            visited_graph(load_profile(profile_name), namespace=f"/bench_{os.getpid()}"),
            [read_audio_file(file) for file in files],
            steps,
            tell=lambda line: click.echo(line, err=True),
            pictures=mix,
            mouth=MouthWatch() if (mix if mouth is None else mouth) else None,
            log_level="error",
            own_namespace=True,
        )
        figures = benchmark.run().as_dict()
    result: dict[str, Any] = {"profile": profile_name, **figures, "machine": machine}
    _print(result)
    write_figures(json_file, result)


def _print(result: dict[str, Any]) -> None:
    machine = result["machine"]
    click.echo(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_1min']}")
    click.echo("\n| figure | value |\n|---|---|")
    for name, value in _rows({n: v for n, v in result.items() if n not in _APART}):
        click.echo(f"| {name} | {'-' if value in (None, '') else value} |")
    for name, value in result["parts_s_p50"].items():
        click.echo(f"| {name} s p50 | {value} |")


def _rows(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Rows of a table: a name for every value; nested mappings put their own name in front."""
    for name, value in values.items():
        if isinstance(value, Mapping) and any(isinstance(v, Mapping) for v in value.values()):
            yield from _rows(value, f"{above}{name}: ")
        elif isinstance(value, Mapping):
            yield f"{above}{name}", ", ".join(f"{n} {v}" for n, v in value.items())
        else:
            yield f"{above}{name}", value
