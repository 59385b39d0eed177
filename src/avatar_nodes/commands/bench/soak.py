"""`avatar bench soak`: hours with visitors and accidents, and what was lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avatar_nodes.commands.graph_options import (
    json_option,
    plain_errors,
    profile_option,
    require_ros,
    write_figures,
)
from avatar_nodes.graph.discovery import stay_local

if TYPE_CHECKING:
    from avatar_nodes.bench.soak.pulse_server import PulseServer


@click.command("soak")
@profile_option
@click.option(
    "--hours",
    type=click.FloatRange(0.005, 1000.0),
    default=2.0,
    show_default=True,
    help="How long.",
)
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(1.0, 36_000.0),
    default=120.0,
    show_default=True,
    help="Seconds from one accident's end to the next.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of the order of visits and accidents.",
)
@click.option(
    "--disk",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    help="Record into this folder, and fill its file system now and then: a small one of its own,"
    " such as a tmpfs of 64 MB.",
)
@click.option("--set-clock", is_flag=True, help="Set the machine's clock now and then (root only).")
@click.option(
    "--browser/--no-browser", default=True, show_default=True,
    help="Show the page in a headless Chromium, which is reloaded and killed.",
)  # fmt: skip
@click.option(
    "--microphone/--no-microphone", default=True, show_default=True,
    help="Let the visitor be heard by a microphone on a PulseAudio server of its own, which is"
    " unplugged; else by a topic.",
)  # fmt: skip
@json_option
def command(
    profile_name: str, hours: float, every_s: float, seed: int, disk: Path | None,
    set_clock: bool, browser: bool, microphone: bool, json_file: Path | None,
) -> None:  # fmt: skip
    """Let visitors talk to the avatar for hours while accidents happen, and count what was lost.

    Visitors ask, interrupt, cough and type, an operator lets it speak and act. Meanwhile processes
    are killed or stopped, the page is reloaded, the browser is killed, the microphone unplugged,
    and with --disk and --set-clock the disk is filled and the clock set. Ctrl-C ends it with the
    figures so far.
    """
    require_ros()
    stay_local()
    from avatar_nodes.bench.chromium import ChromiumError
    from avatar_nodes.bench.soak.accidents import AccidentError
    from avatar_nodes.bench.soak.benchmark import SoakBenchmark, SoakSettings
    from avatar_nodes.bench.soak.pulse_server import PulseServerError
    from avatar_nodes.client.visitor import VisitorError
    from avatar_nodes.machine.description import describe_machine
    from avatar_nodes.profile import load_profile
    from avatar_nodes.profile.resources import share_path
    from avatar_nodes.sound.audio_file import AudioFileError, read_audio_file

    machine = describe_machine()
    with plain_errors(AccidentError, AudioFileError, ChromiumError, PulseServerError, VisitorError):
        questions = sorted(share_path("samples", "visitor").glob("*.wav"))
        with _sound_card(microphone) as server:
            figures = SoakBenchmark(
                load_profile(profile_name),
                [read_audio_file(file) for file in questions],
                SoakSettings(3600.0 * hours, every_s, seed, disk, set_clock),
                namespace=f"/bench_{os.getpid()}",
                server=server,
                browser=browser,
                tell=lambda line: click.echo(line, err=True),
            ).run()
    result: dict[str, Any] = {"profile": profile_name, **figures.as_dict(), "machine": machine}
    write_figures(json_file, result)
    _print(result)


@contextmanager
def _sound_card(wanted: bool) -> Iterator[PulseServer | None]:
    """A sound server to which the graph's processes find their way, if one is wanted."""
    if not wanted:
        yield None
        return
    from avatar_nodes.bench.soak.pulse_server import PulseServer

    with PulseServer() as server:
        os.environ.update(server.environment)
        yield server


def _print(result: dict[str, Any]) -> None:
    machine = result["machine"]
    click.echo(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_1min']}")
    click.echo("\n| accident | times | not back | back p50 s | max s | still p50 s | max s |")
    click.echo("|---|---|---|---|---|---|---|")
    for row in result["accidents"]:
        click.echo("| " + " | ".join("-" if v is None else str(v) for v in row.values()) + " |")
    click.echo("\n| figure | value |\n|---|---|")
    apart = ("accidents", "each", "machine", "memory_mib", "memory_mib_per_h_error", "watchdogs")
    for name, value in result.items():
        if name not in apart:
            shown = value.get("total") if isinstance(value, dict) else value
            click.echo(f"| {name} | {'-' if shown is None else shown} |")
