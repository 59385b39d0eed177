"""Chooses among the shipped profiles of the large model those that a machine's GPUs can run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from avatar_nodes.pipeline.device_memory import memory_by_device, memory_parts
from avatar_nodes.pipeline.frame_rate import FrameRate, frame_rate
from avatar_nodes.profile import Profile, load_profile, profile_names, with_values
from avatar_nodes.profile.gpus import Gpu

_FAMILY = "wan_s2v_14b"
SPARE = 2.5e9
"""Bytes of a GPU that kernels and CUDA are taken to need beside what is counted."""
_EIGHT_BITS: Mapping[str, Any] = {"model": {"float8": True, "compile": True}}
_ONE_SET: Mapping[str, Any] = {"conversation": {"cache_switch": False}}
_CHANGES: tuple[Mapping[str, Any], ...] = (
    {},
    _ONE_SET,
    _EIGHT_BITS,
    {**_EIGHT_BITS, **_ONE_SET},
)
"""What may be laid over a profile, in this order: without a second set of caches only where two do
not fit."""


@dataclass(frozen=True)
class Choice:
    """A profile on so many GPUs, as it is or with `changes` laid over it (nested, as in YAML).

    gpu_bytes: what the fullest GPU holds; host_bytes: what the host does, pinned or not.
    """

    name: str
    changes: Mapping[str, Any]
    profile: Profile
    gpus: int
    gpu_bytes: float
    host_bytes: float
    rate: FrameRate

    @property
    def is_live(self) -> bool:
        """Whether the frames/s that are expected keep up with the video."""
        return self.rate.expected >= self.profile.video.fps


def choices(gpu: Gpu, count: int) -> list[Choice]:
    """All that fit on `count` such GPUs: what keeps up first, then the larger picture, the faster,
    more steps. Computed: nothing is downloaded, and no GPU is needed.
    """
    found = [choice for name in _large_profiles() for choice in _of(name, gpu, count)]
    return sorted(found, key=_order)


def _order(choice: Choice) -> tuple[bool, int, float, int]:
    video, steps = choice.profile.video, len(choice.profile.model.sigmas)
    return not choice.is_live, -video.width * video.height, -round(choice.rate.expected, 1), -steps


def _large_profiles() -> list[str]:
    return [name for name in profile_names() if name.startswith(_FAMILY)]


def _of(name: str, gpu: Gpu, count: int) -> Iterator[Choice]:
    """At most one of each way to compute."""
    base = load_profile(name)
    fitting: set[tuple[bool, bool]] = set()
    for changes in _CHANGES:
        profile = with_values(base, changes) if changes else base
        way = profile.model.float8, profile.model.compile
        if way in fitting or (profile.model.float8 and gpu.fp8 is None):
            continue
        choice = _if_it_fits(name, changes, profile, gpu, count)
        if choice is not None:
            fitting.add(way)
            yield choice


def _if_it_fits(
    name: str, changes: Mapping[str, Any], profile: Profile, gpu: Gpu, count: int
) -> Choice | None:
    used = _gpus_of(profile)
    if len(used) > count:
        return None
    held = memory_by_device(memory_parts(profile))
    on_gpus = [size for device, size in held.items() if device.startswith("cuda")]
    if max(on_gpus) + SPARE > gpu.memory:
        return None
    rate = frame_rate(profile, gpu)
    return Choice(
        name, changes, profile, len(used), max(on_gpus), sum(held.values()) - sum(on_gpus), rate
    )


def _gpus_of(profile: Profile) -> set[str]:
    placement = profile.placement
    conductor = placement.conductor
    others = (placement.decoder.device, conductor.audio_device, conductor.text_device)
    devices = (*(place.device for place in placement.denoisers), *others)
    return {device for device in devices if device.startswith("cuda")}
