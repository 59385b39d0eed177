"""`avatar check`: reports what this machine has and lacks, with remedies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from avatar_nodes.commands.graph_options import plain_errors

if TYPE_CHECKING:
    from avatar_nodes.machine.finding import Finding
    from avatar_nodes.profile import Profile


@click.command("check")
@click.option(
    "--profile",
    "profile_name",
    default="tiny",
    show_default=True,
    metavar="NAME|FILE",
    help="Profile whose devices and checkpoint are looked at.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Checkpoint folder to look at instead of the profile's.",
)
def command(profile_name: str, weights: Path | None) -> None:
    """Report what this machine has and lacks.

    `missing` is what the avatar cannot do without; the exit code is then 1. `absent` is what only
    some uses need.
    """
    from avatar_nodes.profile import load_profile, with_values

    with plain_errors():
        profile = load_profile(profile_name)
        if weights is not None:
            profile = with_values(profile, {"model": {"checkpoint": str(weights.absolute())}})
    missing = 0
    for finding in _findings(profile):
        missing += finding.required and not finding.ok
        click.echo(_line(finding))
    if missing:
        raise SystemExit(1)


def _findings(profile: Profile) -> Iterator[Finding]:
    from avatar_nodes.machine import arithmetic, build_tools, ros, sound, video_files

    yield build_tools.check_python()
    yield build_tools.check_compiler()
    yield ros.check_ros()
    yield ros.check_messages()
    yield ros.check_middleware()
    yield ros.check_shared_memory()
    yield from ros.check_optional_packages()
    yield arithmetic.check_torch()
    yield from arithmetic.check_devices(_devices(profile))
    yield arithmetic.check_bfloat16()
    yield sound.check_devices()
    yield sound.check_pulseaudio()
    yield video_files.check_encoders()
    yield from _checkpoint(profile)


def _checkpoint(profile: Profile) -> Iterator[Finding]:
    from avatar_nodes.machine.finding import Finding

    try:
        from avatar_nodes.machine.checkpoint import check_checkpoint
    except ImportError as error:
        yield Finding("checkpoint", False, f"cannot be read: {error}", "run `make setup`")
        return
    model = profile.model
    yield from _memory(profile)
    yield from check_checkpoint(
        Path(model.checkpoint),
        lora=model.lora,
        lora_scale=model.lora_scale,
        light_decoder=model.light_decoder,
        reference=profile.stream.reference,
    )


def _memory(profile: Profile) -> Iterator[Finding]:
    from avatar_nodes.machine.finding import Finding
    from avatar_nodes.machine.gpu_memory import check_memory
    from avatar_nodes.model.tensor_files import CheckpointError
    from avatar_nodes.pipeline.device_memory import memory_by_device, memory_parts

    try:
        needed = memory_by_device(memory_parts(profile))
    except CheckpointError as error:
        yield Finding("memory", False, f"cannot be computed: {error}", "", False)
        return
    yield from check_memory(needed)


def _devices(profile: Profile) -> set[str]:
    placement = profile.placement
    conductor = placement.conductor
    others = {placement.decoder.device, conductor.audio_device, conductor.text_device}
    return {*others, *(denoiser.device for denoiser in placement.denoisers)}


def _line(finding: Finding) -> str:
    if finding.ok:
        mark = click.style("ok     ", fg="green")
    elif finding.required:
        mark = click.style("missing", fg="red")
    else:
        mark = click.style("absent ", fg="yellow")
    line = f"{mark} {finding.name:<14} {finding.found}"
    return f"{line}\n{'':23}-> {finding.remedy}" if finding.remedy and not finding.ok else line
