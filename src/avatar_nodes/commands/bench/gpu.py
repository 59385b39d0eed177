"""`avatar bench gpu`: the parts of the 14B model on this machine's GPU."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avatar_nodes.commands.graph_options import json_option, write_figures

if TYPE_CHECKING:
    from avatar_nodes.bench.gpu import Peak, SizeFigures


@click.command("gpu")
@click.option(
    "--device", default="cuda:0", show_default=True, help="cuda:N, or cpu with `--scale small`."
)
@click.option(
    "--scale",
    type=click.Choice(["wan_s2v_14b", "small"]),
    default="wan_s2v_14b",
    show_default=True,
    help="The real model, or a small one to try the command.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="WxH",
    default=("704x384", "480x832", "512x512"),
    show_default=True,
    help="Size of the pictures, in multiples of 16; may be given several times.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="Runs that are timed, after two that are not.",
)
@json_option
def command(
    device: str, scale: str, sizes: tuple[str, ...], repeats: int, json_file: Path | None
) -> None:
    """Measure stage, sink prefill, cache switch and video decoding, with random weights.

    Nothing is downloaded. The floor is what the device's own best matrix product and copy, measured
    in the same run, would take for the same arithmetic and memory traffic.
    """
    measured = [_size(size) for size in sizes]
    _require(device, scale)
    from avatar_nodes.bench.gpu import GpuBenchmark
    from avatar_nodes.machine.description import describe_machine

    benchmark = GpuBenchmark(device, scale=scale, repeats=repeats)  # type: ignore[arg-type]
    peak = benchmark.peak()
    result: dict[str, Any] = {
        "machine": {**describe_machine(), "device": _name(device)},
        "scale": scale,
        "peak_tflops": peak.flops / 1e12,
        "peak_gb_per_s": peak.bytes / 1e9,
        "sizes": [],
    }
    _print_device(_name(device), peak)
    for width, height in measured:
        figures = benchmark.measure(width, height, peak)
        result["sizes"].append(figures.as_dict())
        _print(figures)
    write_figures(json_file, result)


def _require(device: str, scale: str) -> None:
    """End with one line where the measurement cannot be made."""
    import torch

    from avatar_nodes.model.device import AssemblyError, checked_device

    if device == "cpu" and scale == "small":
        return
    if not torch.cuda.is_available():
        raise click.ClickException(
            "no GPU that torch can use on this machine; `--device cpu --scale small` tries the"
            " command without one"
        )
    if device == "cpu":
        raise click.ClickException(
            "the real model is measured on a GPU: name one, or --scale small"
        )
    try:
        checked_device(device)
    except AssemblyError as error:
        raise click.ClickException(str(error)) from None


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()) or any(
        not 16 <= int(side) <= 4096 or int(side) % 16 for side in (width, height)
    ):
        raise click.BadParameter(f"expected WxH in multiples of 16, got {text!r}")
    return int(width), int(height)


def _name(device: str) -> str:
    import torch

    return device if device == "cpu" else torch.cuda.get_device_name(device)


def _print_device(name: str, peak: Peak) -> None:
    click.echo(
        f"{name}: {peak.flops / 1e12:.2f} TFLOP/s in a matrix product,"
        f" {peak.bytes / 1e9:.0f} GB/s in a copy (measured)"
    )


def _print(figures: SizeFigures) -> None:
    click.echo(f"\n{figures.width}x{figures.height}, at most {figures.memory_gib:.1f} GiB")
    click.echo(f"{'part':<14}{'mode':<28}{'ms':>10}{'floor ms':>11}")
    for timing in figures.timings:
        ms = f"{timing.ms:10.2f}" if timing.ms is not None else f"{'-':>10}"
        floor = f"{timing.floor_ms:11.2f}" if timing.floor_ms is not None else f"{'-':>11}"
        why = f"  {timing.error}" if timing.error else ""
        click.echo(f"{timing.part:<14}{timing.mode:<28}{ms}{floor}{why}")
    for rates, decoder in (
        (figures.frames_per_s, ""),
        (figures.light_frames_per_s, " and the light decoder"),
    ):
        for gpus, rate in rates.items():
            number = f"{gpus} such GPU{'s' if gpus > 1 else ''}"
            click.echo(f"{rate:8.1f} frames/s on {number}{decoder} (derived)")
