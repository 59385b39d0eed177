"""`avatar bench kiosk`: the page in a real browser, conversing for as long as you like."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from avatar_nodes.commands.graph_options import (
    json_option,
    plain_errors,
    profile_option,
    require_ros,
    write_figures,
)
from avatar_nodes.graph.discovery import stay_local


@click.command("kiosk")
@profile_option
@click.option(
    "--minutes", type=click.FloatRange(0.2, 10_000.0), default=5.0, show_default=True,
    help="How long the page stays open.",
)  # fmt: skip
@click.option(
    "--look", "look_s", type=click.FloatRange(1.0, 600.0), default=10.0, show_default=True,
    help="Seconds between two looks at the page and the processes.",
)  # fmt: skip
@click.option(
    "--question", "questions", multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Sound file that the visitor says; may be repeated. Default: the shipped visitor's.",
)  # fmt: skip
@click.option(
    "--pause", "pause_s", type=click.FloatRange(0.5, 600.0), default=8.0, show_default=True,
    help="Silence before each question [s].",
)  # fmt: skip
@json_option
def command(
    profile_name: str,
    minutes: float,
    look_s: float,
    questions: tuple[Path, ...],
    pause_s: float,
    json_file: Path | None,
) -> None:
    """Open the page in a headless Chromium whose microphone asks questions again and again.

    Needs Playwright and Chromium. Watches frame rate, sound against picture as the browser plays
    them, freezes, reconnections, answers, and the memory of every process.
    """
    require_ros()
    stay_local()
    from avatar_nodes.bench.chromium import ChromiumError
    from avatar_nodes.bench.kiosk.benchmark import KioskBenchmark, KioskBenchmarkError
    from avatar_nodes.bench.kiosk.figures import Look
    from avatar_nodes.machine.description import describe_machine
    from avatar_nodes.profile import load_profile
    from avatar_nodes.profile.resources import share_path
    from avatar_nodes.sound.audio_file import AudioFileError

    def tell(look: Look) -> None:
        offset, moved = (
            "-" if value is None else f"{value:.0f} ms"
            for value in (look.av_offset_ms, look.av_moved_ms)
        )
        click.echo(
            f"{look.elapsed_s:6.0f} s  {look.frames} frames  sound after picture {offset}"
            f" (moved {moved})"
            f"  freezes {look.freezes}  asked {look.asked}  answered {look.answered}"
            f"  reconnects {look.lives - 1}  {sum(look.memory_mib.values()):.0f} MiB",
            err=True,
        )

    shipped = sorted(share_path("samples", "visitor").glob("*.wav"))
    with plain_errors(ChromiumError, KioskBenchmarkError, AudioFileError):
        figures = KioskBenchmark(
            load_profile(profile_name), seconds=60.0 * minutes, look_s=look_s,
            questions=questions or shipped, pause_s=pause_s,
            namespace=f"/bench_{os.getpid()}", on_look=tell,
        ).run()  # fmt: skip
    machine, found = describe_machine(), figures.as_dict()
    click.echo(f"\n{machine['cpu']}, {machine['cores']} cores, load {machine['load_1min']}")
    click.echo("\n| figure | value |\n|---|---|")
    for name, value in found.items():
        words = ", ".join(f"{k} {v}" for k, v in value.items()) if name[:6] == "memory" else value
        click.echo(f"| {name} | {'-' if words is None else words} |")
    found |= {
        "profile": profile_name,
        "machine": machine,
        "looks": list(map(asdict, figures.looks)),
    }
    write_figures(json_file, found)
