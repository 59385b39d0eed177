"""`avatar bench restart`: how soon a killed process is back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avatar_nodes.commands.graph_options import (
    json_option,
    placement_option,
    plain_errors,
    profile_option,
    require_ros,
    write_figures,
)
from avatar_nodes.graph.discovery import stay_local

if TYPE_CHECKING:
    from avatar_nodes.bench.restart.figures import Accident


@click.command("restart")
@profile_option
@placement_option
@click.option(
    "--kills",
    type=click.IntRange(1, 1000),
    default=3,
    show_default=True,
    help="How often each station is killed.",
)
@click.option(
    "--station",
    "stations",
    multiple=True,
    metavar="NODE",
    help="Kill this node's process; may be repeated. Default: every node on a block's path.",
)
@click.option(
    "--busy",
    type=click.IntRange(0, 256),
    default=0,
    show_default=True,
    help="Processes that compute all the while, for a load.",
)
@json_option
def command(
    profile_name: str, placement: str, kills: int, stations: tuple[str, ...], busy: int,
    json_file: Path | None,
) -> None:  # fmt: skip
    """Measure how soon the picture moves again after kill -9 of a process, and whether the speech
    goes on.

    The avatar speaks a text of some sentences; while it does, one process is killed. `back` is the
    time from then until the picture moves again, `still` how long it stood.
    """
    require_ros()
    stay_local()
    from avatar_nodes.bench.restart.benchmark import RestartBenchmark, RestartError
    from avatar_nodes.bench.restart.figures import table
    from avatar_nodes.graph.graph import Graph
    from avatar_nodes.machine.description import describe_machine
    from avatar_nodes.profile import load_profile, with_values

    with plain_errors(RestartError):
        profile = with_values(load_profile(profile_name), {"restart": {"max_restarts": 1000}})
        graph = Graph.from_profile(
            profile,
            mode="converse",
            namespace=f"/bench_{os.getpid()}",
            placement=placement,  # type: ignore[arg-type]
        )
        names = [node.name for node in graph.nodes]
        for station in stations:
            if station not in names:
                raise click.UsageError(f"{station}: expected one of {', '.join(names)}")
        benchmark = RestartBenchmark(
            graph, stations=list(stations or graph.path), kills=kills, on_accident=_tell
        )
        with _load(busy):
            machine = describe_machine()
            benchmark.run()
            machine["load_1min_end"] = round(os.getloadavg()[0], 2)
    rows = table(benchmark.accidents)
    memory = {name: asdict(each) for name, each in benchmark.memory.items()}
    result: dict[str, Any] = {
        "profile": profile_name, "placement": placement, "busy": busy, "stations": rows,
        "processes": memory, "pss_mib": sum(each["pss_mib"] for each in memory.values()),
        "machine": machine,
    }  # fmt: skip
    _print(result)
    write_figures(json_file, result)


@contextmanager
def _load(count: int) -> Iterator[None]:
    """So many processes that compute."""
    busy = [subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"])
            for _ in range(count)]  # fmt: skip
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def _tell(accident: Accident) -> None:
    phases = ", ".join(
        f"{phase} {s:.2f}" for phase, s in sorted(accident.at_s.items(), key=_second)
    )
    lost = "" if accident.went_on else f"; {accident.lost_s:.2f} s of the speech lost"
    twice = f", {accident.doubled_s:.2f} s doubled" if accident.doubled_s else ""
    click.echo(
        f"{accident.station}: still {accident.still_s:.2f} s; {phases}{lost}{twice}", err=True
    )


def _second(pair: tuple[str, float]) -> float:
    return pair[1]


def _print(result: dict[str, Any]) -> None:
    machine = result["machine"]
    load = f"{machine['load_1min']} to {machine['load_1min_end']}"
    click.echo(f"{machine['cpu']}, {machine['cores']} cores, load {load}")
    heads = ("kills", "back p50", "worst s", "still p50", "worst s", "speech went on", "lost s")
    click.echo(f"{'station':<14}" + "".join(f"{head:>{max(9, len(head) + 2)}}" for head in heads))
    for row in result["stations"]:
        went_on = f"{row['speech_went_on']} of {row['kills']}"
        click.echo(
            f"{row['station']:<14}{row['kills']:>9}{row['back_s_median']:>10.2f}"
            f"{row['back_s_worst']:>9.2f}{row['still_s_median']:>11.2f}"
            f"{row['still_s_worst']:>9.2f}{went_on:>16}{row['speech_lost_s_worst']:>9.2f}"
        )
    spare = result["processes"].get("spare")
    of_it = "" if spare is None else f", the spare one's {spare['pss_mib']:.0f}"
    click.echo(f"\nmemory of all processes: {result['pss_mib']:.0f} MiB{of_it} (PSS)")
