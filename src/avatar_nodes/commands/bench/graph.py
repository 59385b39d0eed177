"""`avatar bench graph`: speed and memory of the graph's processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
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
    from avatar_nodes.graph.graph import Graph

_QUESTION = ("samples", "visitor", "1_robot.wav")
_MEMORY = ("pss_mib", "rss_mib", "uss_mib")


@click.command("graph")
@profile_option
@placement_option
@click.option(
    "--blocks",
    type=click.IntRange(4, 100_000),
    default=100,
    show_default=True,
    help="Blocks to compute.",
)
@click.option(
    "--memory",
    is_flag=True,
    help="Instead: the memory of the profile's conversation, in real time, after one answer.",
)
@json_option
def command(
    profile_name: str, placement: str, blocks: int, memory: bool, json_file: Path | None
) -> None:
    """Measure the graph and the loop in one process, unpaced, in one run.

    Both compute the same blocks as fast as they can. The loop is measured with one thread and with
    one for each core; the faster one counts. Memory is PSS (a page that n processes map counts 1/n,
    so that it adds up), RSS and USS.
    """
    require_ros()
    stay_local()
    result = _memory(profile_name, placement) if memory else _speed(profile_name, placement, blocks)
    write_figures(json_file, result)


def _speed(profile_name: str, placement: str, blocks: int) -> dict[str, Any]:
    """Run the graph and the loop, and print their figures."""
    from avatar_nodes.bench.graph import BenchmarkError, GraphBenchmark
    from avatar_nodes.graph.graph import Graph
    from avatar_nodes.machine.description import describe_machine
    from avatar_nodes.pipeline.in_process import InProcessError
    from avatar_nodes.profile import load_profile

    machine = describe_machine()
    with plain_errors(BenchmarkError, InProcessError):
        profile = load_profile(profile_name)
        benchmark = GraphBenchmark(
            profile, blocks=blocks, namespace=f"/bench_{os.getpid()}", placement=placement
        )
        figures = benchmark.run()
        loop = _loop(Graph.from_profile(profile), blocks, int(machine["cores"]))
    best = max(loop.values())
    result: dict[str, Any] = {
        "profile": profile_name,
        "placement": placement,
        "blocks": blocks,
        **figures.as_dict(),
        "in_process_fps": round(best, 2),
        "in_process_fps_by_threads": {str(n): round(fps, 2) for n, fps in loop.items()},
        "graph_to_in_process": round(figures.fps / best, 3),
        "realtime_factor": round(figures.fps / profile.video.fps, 2),
        "machine": machine,
    }
    result |= _sums(result["processes"])
    _print(result)
    return result


def _memory(profile_name: str, placement: str) -> dict[str, Any]:
    """Hold a conversation, and print the memory of its processes."""
    from avatar_nodes.bench.conversation_memory import conversation_memory
    from avatar_nodes.client.visitor import VisitorError
    from avatar_nodes.machine.description import describe_machine
    from avatar_nodes.profile import load_profile
    from avatar_nodes.profile.resources import share_path
    from avatar_nodes.sound.audio_file import AudioFileError

    with plain_errors(AudioFileError, VisitorError):
        found = conversation_memory(
            load_profile(profile_name),
            share_path(*_QUESTION),
            namespace=f"/bench_{os.getpid()}",
            on_line=lambda who, text: click.echo(f"{who}: {text}", err=True),
            placement=placement,
        )
    result: dict[str, Any] = {
        "profile": profile_name,
        "placement": placement,
        "processes": {name: process.as_dict() for name, process in found.items()},
        "machine": describe_machine(),
    }
    result |= _sums(result["processes"])
    click.echo(f"{'process':<14}{'PSS MiB':>9}{'RSS':>8}{'USS':>8}  nodes")
    for name, process in result["processes"].items():
        click.echo(f"{name:<14}{_memory_cells(process)}  {', '.join(process['nodes'])}")
    click.echo(f"{'sum':<14}{_memory_cells(result)}")
    return result


def _sums(processes: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    return {kind: sum(process[kind] for process in processes.values()) for kind in _MEMORY}


def _memory_cells(values: Mapping[str, Any]) -> str:
    pss, rss, uss = (values[kind] for kind in _MEMORY)
    return f"{pss:>9.0f}{rss:>8.0f}{uss:>8.0f}"


def _loop(graph: Graph, blocks: int, cores: int) -> dict[int, float]:
    from avatar_nodes.bench.graph import in_process_fps

    return {
        threads: in_process_fps(graph, blocks=blocks, threads=threads)
        for threads in sorted({1, cores})
    }


def _print(result: dict[str, Any]) -> None:
    machine = result["machine"]
    click.echo(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_1min']}")
    click.echo(
        f"graph      {result['graph_fps']:8.2f} frames/s"
        f"  ({result['realtime_factor']:.2f} x real time)"
    )
    click.echo(
        f"in process {result['in_process_fps']:8.2f} frames/s"
        f"  (graph / in process {result['graph_to_in_process']:.2f})"
    )
    if result["epochs"] > 1:
        click.echo(
            f"the graph began {result['epochs']} epochs: something failed meanwhile", err=True
        )
    click.echo(f"\n{'node':<14}{'stage p50':>11}{'p99 ms':>9}{'hop p50':>11}{'p99 ms':>9}")
    for node in result["stage_ms"] | result["hop_ms"]:
        cells = [
            result[kind].get(node, {}).get(quantile)
            for kind in ("stage_ms", "hop_ms")
            for quantile in ("p50", "p99")
        ]
        texts = ["-" if cell is None else f"{cell:.2f}" for cell in cells]
        click.echo(f"{node:<14}{texts[0]:>11}{texts[1]:>9}{texts[2]:>11}{texts[3]:>9}")
    click.echo(f"\n{'process':<14}{'CPU %':>11}{'PSS MiB':>9}{'RSS':>8}{'USS':>8}")
    for name, usage in result["processes"].items():
        click.echo(f"{name:<14}{usage['cpu_percent']:>11.1f}{_memory_cells(usage)}")
    click.echo(f"{'sum':<25}{_memory_cells(result)}")
