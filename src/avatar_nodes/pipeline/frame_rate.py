"""Computes the frames/s of a profile of the large model on a GPU that need not be here.

Operations are counted from the model's shapes, rates are the data sheet's. What a GPU reaches of
these is taken from the public system's own figures. Nothing here is measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.pass_cost import PassCost, decode_flop, pass_cost
from avatar_nodes.pipeline.device_memory import transformer_config
from avatar_nodes.profile import Profile
from avatar_nodes.profile.gpus import Gpu, find_gpu

_HOST_SHARE = 0.8
"""Of the paper rate, that copies from the host are taken to reach: 25 GB/s of PCIe 4.0's 31.5."""
_PUBLISHED = {False: 20.88, True: 45.0}
"""Frames/s of Live Avatar on five H800, a step on each of four: the paper's table 3, in bfloat16;
True: its revised abstract, with FP8 and compiled layers."""
_ITS_GPU = "H100"
"""An H800 has an H100's tensor cores."""


@dataclass(frozen=True)
class FrameRate:
    """Frames/s, computed. at_most: at the data sheet's full rates; expected: at the share `reached`
    of them. arithmetic: how, a line each.
    """

    at_most: float
    expected: float
    reached: float
    arithmetic: tuple[str, ...]


def frame_rate(profile: Profile, gpu: Gpu) -> FrameRate:
    """Of a profile of the large model, every device of which is such a GPU.

    Not counted: the audio model (a second of sound every 0.48 s), the text encoder (once a prompt),
    a new sink or prompt, and what copies between GPUs wait for.

    Raises:
        ConfigurationError: the profile computes in FP8, which the GPU has not.
    """
    model, video = profile.model, profile.video
    config = replace(transformer_config(profile), past_blocks=model.past_blocks)
    cost = pass_cost(config, float8=model.float8, has_motion=model.motion_tokens)
    pass_s = paper_seconds(cost, gpu, float8=model.float8)
    copies_s = model.offload_layers * cost.layer / (_HOST_SHARE * gpu.host)
    frames = config.timing.frames_per_block
    decode = decode_flop(video.width, video.height, frames, light=bool(model.light_decoder))
    tuned = model.float8 and model.compile
    reached = reached_share(tuned=tuned)

    def slowest(share: float) -> tuple[float, str]:
        """Seconds a block of the device that takes longest, and its name."""
        seconds: dict[str, float] = {}
        for place in profile.placement.denoisers:
            took = len(place.steps) * max(pass_s / share, copies_s)
            seconds[place.device] = seconds.get(place.device, 0.0) + took
        home = profile.placement.decoder.device
        seconds[home] = seconds.get(home, 0.0) + decode / gpu.bf16 / share
        return max((took, device) for device, took in seconds.items())

    (at_best_s, device), (expected_s, _) = slowest(1.0), slowest(reached)
    lines = [
        _pass_line(cost, gpu, model.float8, pass_s),
        f"decoding a block: {decode / 1e12:.1f} TFLOP / {gpu.bf16 / 1e12:.0f} TFLOP/s ="
        f" {1000 * decode / gpu.bf16:.0f} ms",
        f"{device}, which has most to do: {1000 * at_best_s:.0f} ms a block of {frames} frames at"
        f" the data sheet's rates, at most {frames / at_best_s:.1f} frames/s",
        f"at {100 * reached:.0f} % of them, which Live Avatar's published {_PUBLISHED[tuned]}"
        f" frames/s on 5 H800 come to: {1000 * expected_s:.0f} ms, about"
        f" {frames / expected_s:.1f} frames/s",
    ]
    if copies_s:
        lines.insert(1, _copy_line(model.offload_layers, cost, gpu, copies_s))
    return FrameRate(frames / at_best_s, frames / expected_s, reached, tuple(lines))


def paper_seconds(cost: PassCost, gpu: Gpu, *, float8: bool) -> float:
    """A pass at the data sheet's rates: the longer of its arithmetic and its reading."""
    arithmetic = cost.matrices / _matrix_rate(gpu, float8) + cost.attention / gpu.bf16
    return max(arithmetic, cost.read / gpu.bandwidth)


def reached_share(*, tuned: bool) -> float:
    """Share of the paper rates that the public system's own frames/s come to; tuned: in FP8 and
    compiled."""
    config = DiTConfig()
    cost = pass_cost(config, float8=tuned, has_motion=True)
    paper_s = paper_seconds(cost, find_gpu(_ITS_GPU), float8=tuned)
    return paper_s * _PUBLISHED[tuned] / config.timing.frames_per_block


def _matrix_rate(gpu: Gpu, float8: bool) -> float:
    if not float8:
        return gpu.bf16
    if gpu.fp8 is None:
        raise ConfigurationError(f"model.float8: {gpu.name} has no FP8")
    return gpu.fp8


def _pass_line(cost: PassCost, gpu: Gpu, float8: bool, seconds: float) -> str:
    matrices, rate = cost.matrices / 1e12, _matrix_rate(gpu, float8) / 1e12
    attention, plain_rate = cost.attention / 1e12, gpu.bf16 / 1e12
    arithmetic = 1000 * (matrices / rate + attention / plain_rate)
    line = (
        f"a step: {matrices:.1f} TFLOP of matrices / {rate:.0f} TFLOP/s + {attention:.1f} of"
        f" attention / {plain_rate:.0f} = {arithmetic:.0f} ms"
    )
    if 1000 * seconds > arithmetic:
        read, bandwidth = cost.read / 1e9, gpu.bandwidth / 1e9
        line += (
            f"; {read:.0f} GB to read / {bandwidth:.0f} GB/s = {1000 * seconds:.0f} ms is longer"
        )
    return line


def _copy_line(layers: int, cost: PassCost, gpu: Gpu, seconds: float) -> str:
    return (
        f"a step's weights from the host: {layers} layers of {cost.layer / 1e6:.0f} MB at"
        f" {_HOST_SHARE * gpu.host / 1e9:.0f} GB/s = {1000 * seconds:.0f} ms, if that is longer"
    )
