"""What `avatar profile --for` says of GPUs: what runs on them, how fast, from which files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from avatar_nodes.profile.gpus import PCIE_4, Gpu, UnknownGpuError, find_gpu

if TYPE_CHECKING:
    from avatar_nodes.pipeline.gpu_choice import Choice

_FOLDER = "checkpoints/wan_s2v_14b"
_DOWNLOAD = (
    ("pip install -r requirements/large.txt", "diffusers"),
    (f"hf download Wan-AI/Wan2.2-S2V-14B --local-dir {_FOLDER}", "46 GB, Apache-2.0"),
    (
        f"hf download Quark-Vision/Live-Avatar liveavatar.safetensors --local-dir {_FOLDER}",
        "1.4 GB, Apache-2.0",
    ),
)
_LIGHT = (
    f"curl -L -o {_FOLDER}/taew2_1.pth https://github.com/madebyollin/taehv/raw/main/taew2_1.pth",
    "0.02 GB, MIT",
)
_TINY = (
    "On any machine, without a download: `avatar up --profile tiny`, a cartoon of 256x256 at 25"
    " frames/s.\nMeasured: 68 frames/s on two cores of an Intel Xeon (AMX), no GPU."
)
_NEVER_RUN = (
    "Never run: no 14B profile was ever run on a GPU, and none with the trained weights, by those"
    " who wrote this.\nThe frames/s and GB above are computed. `avatar bench gpu` measures this"
    " machine's (random weights, no download);\n`avatar check --profile NAME` compares memory and"
    " files. docs/weights.md says what was verified, and how."
)


def named_gpu(
    name: str, *, gb: float | None, tflops: float | None, fp8_tflops: float | None
) -> Gpu:
    """The GPU of that name, or with the figures that are given by hand.

    Raises:
        UnknownGpuError: it is not in the table, and its memory and TFLOP/s were not given.
    """
    if gb is not None and tflops is not None:
        fp8 = None if fp8_tflops is None else fp8_tflops * 1e12
        return Gpu(name, gb * 1e9, tflops * 1e12, fp8, float("inf"), PCIE_4, "given by hand")
    try:
        return find_gpu(name)
    except UnknownGpuError as error:
        raise UnknownGpuError(
            f"{error}; or say what its data sheet has: --gpu-memory GB --gpu-tflops TFLOP/s"
            " (bfloat16, dense, summed in float32), and --gpu-fp8-tflops if it has FP8"
        ) from None


def gpus_here() -> list[tuple[Gpu, int]]:
    """This machine's GPUs that torch can use, each kind with its number; their own memory counts.

    Raises:
        UnknownGpuError: one is not in the table.
    """
    import torch

    if not torch.cuda.is_available():
        return []
    found: dict[str, tuple[int, int]] = {}
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        memory, count = found.get(properties.name, (properties.total_memory, 0))
        found[properties.name] = min(memory, properties.total_memory), count + 1
    return [
        (replace(named_gpu(name, gb=None, tflops=None, fp8_tflops=None), memory=memory), count)
        for name, (memory, count) in found.items()
    ]


def print_advice(gpu: Gpu, count: int) -> None:
    """All that fit, the first in full."""
    from avatar_nodes.pipeline.gpu_choice import choices

    click.echo(_described(gpu, count))
    found = choices(gpu, count)
    if found:
        click.echo("\n".join(_table(found)))
        click.echo("\n" + "\n".join(_in_full(found[0])))
    else:
        click.echo(
            "\nNo profile of the 14B model fits. `avatar profile NAME --memory` shows sizes."
        )
    print_without_gpu()
    click.echo(f"\n{_NEVER_RUN}")


def print_without_gpu() -> None:
    """What runs everywhere."""
    click.echo(f"\n{_TINY}")


def _described(gpu: Gpu, count: int) -> str:
    eight = "no FP8" if gpu.fp8 is None else f"{gpu.fp8 / 1e12:.0f} in FP8"
    return (
        f"{count} x {gpu.name}: {gpu.memory / 1e9:.0f} GB, {gpu.bf16 / 1e12:.0f} TFLOP/s in"
        f" bfloat16, {eight} (dense; {gpu.source})"
    )


def _table(found: Sequence[Choice]) -> Iterator[str]:
    yield f"\n{'':62}{'':9}{'':6}{'':9}{'frames/s, computed':>22}"
    yield f"{'profile':62}{'picture':9}{'GPUs':>6}{'GB a GPU':>9}{'at most':>11}{'about':>11}"
    for choice in found:
        video, rate = choice.profile.video, choice.rate
        speed = "" if choice.is_live else "   slower than real time"
        yield (
            f"{_name(choice):62}{f'{video.width}x{video.height}':9}{choice.gpus:6}"
            f"{choice.gpu_bytes / 1e9:9.1f}{rate.at_most:11.1f}{rate.expected:11.1f}{speed}"
        )


def _name(choice: Choice) -> str:
    extras = {"model": "8 bits, compiled", "conversation": "one set of caches"}
    return ", ".join((choice.name, *(extras[section] for section in choice.changes)))


def _in_full(choice: Choice) -> Iterator[str]:
    video = choice.profile.video
    yield f"First choice: {_name(choice)}"
    yield (
        f"  Keeps up with {video.fps} frames/s, as computed." if choice.is_live
        else f"  For rendering: it does not keep up with {video.fps} frames/s, as computed."
    )  # fmt: skip
    yield (
        f"  Memory, computed: {choice.gpu_bytes / 1e9:.1f} GB of the fullest GPU, and about 2.5 for"
        f" kernels and CUDA; {choice.host_bytes / 1e9:.1f} GB of the host."
    )
    yield "  Speed, computed:"
    yield from (f"    {line}" for line in choice.rate.arithmetic)
    yield "  Download:"
    wanted = (*_DOWNLOAD, _LIGHT) if choice.profile.model.light_decoder else _DOWNLOAD
    yield from (f"    {command}    # {what}" for command, what in wanted)
    yield "  Start:"
    yield f"    {_start(choice)}"


def _start(choice: Choice) -> str:
    """One command; a profile with changes is written on the way."""
    options = " --reference YOUR.png"
    mode = "up --kiosk" if choice.is_live else "render --audio speech.wav --out video.mp4"
    if not choice.changes:
        return f"avatar {mode} --profile {choice.name}{options}"
    lines = [f"extends: {choice.name}"]
    for section, values in choice.changes.items():
        pairs = ", ".join(f"{key}: {str(value).lower()}" for key, value in values.items())
        lines.append(f"{section}: {{{pairs}}}")
    text = "\\n".join(lines)
    return f"printf '{text}\\n' > mine.yaml && avatar {mode} --profile mine.yaml{options}"
