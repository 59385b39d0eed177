"""Measures the speed of the large model's parts on a device, with random weights of real size.

Speed does not depend on what the weights are, so nothing has to be downloaded.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode

from avatar_nodes.bench.random_parts import RandomParts, Scale
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.denoising.past_window import Conditions, PastWindow
from avatar_nodes.denoising.recorded_call import CallRecorder, call_recorder_for
from avatar_nodes.denoising.recorded_steps import RecordedSteps
from avatar_nodes.denoising.step_inputs import StepInputs
from avatar_nodes.model.attention import LayerKV
from avatar_nodes.model.attention_kernels import KERNELS, fastest_attention, only_attention
from avatar_nodes.model.audio_encoder import AudioTokens
from avatar_nodes.model.causal import Places
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.host_copies import HostCopies
from avatar_nodes.model.wan_folder import SPATIAL_STRIDE

STEPS = 4
LIGHT = "light decode"
_T = 602.15
_TIMING = BlockTiming()


@dataclass(frozen=True)
class Peak:
    """The device's best rates, measured on itself; floors are computed from them."""

    flops: float
    """Operations of a large matrix product in the model's number format, per second."""
    bytes: float
    """Read or written by a large copy, per second."""


@dataclass(frozen=True)
class Timing:
    """Time of one part. floor_ms: lower bound by its arithmetic and its memory traffic (None: not
    counted); error: the reason why there is no time."""

    part: str
    mode: str
    ms: float | None = None
    floor_ms: float | None = None
    error: str = ""


@dataclass(frozen=True)
class SizeFigures:
    """The figures of one size of picture. frames_per_s is derived from the fastest modes: by number
    of GPUs, 1: everything on one; 2: the decoder apart; 5: a step each, and the decoder."""

    width: int
    height: int
    timings: list[Timing]
    memory_gib: float
    frames_per_s: dict[int, float]
    light_frames_per_s: dict[int, float]
    """The same with the light decoder."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class GpuBenchmark:
    """Measures stage, sink, cache switch and video decoder.

    Args:
        device: `cuda:0`, or `cpu` to try it.
        scale: the real model, or a small one.
        repeats: runs that the median is taken of.
    """

    def __init__(
        self, device: str, *, scale: Scale = "wan_s2v_14b", dtype: torch.dtype = torch.bfloat16,
        repeats: int = 10,
    ) -> None:  # fmt: skip
        self._device = torch.device(device)
        self._parts = RandomParts(scale, dtype, self._device)
        self._dtype = dtype
        self._repeats = repeats
        self._cuda = self._device.type == "cuda"

    @torch.inference_mode()
    def peak(self) -> Peak:
        """Matrix product and copy, measured."""
        side = 8192 if self._cuda else 512
        a, b = (torch.randn(side, side, device=self._device, dtype=self._dtype) for _ in range(2))
        flops = 2 * side**3 / self._seconds(lambda: a @ b)
        source = torch.empty((1 << 30) if self._cuda else (1 << 24), device=self._device).byte()
        target = torch.empty_like(source)
        return Peak(flops, 2 * source.nbytes / self._seconds(lambda: target.copy_(source)))

    @torch.inference_mode()
    def measure(self, width: int, height: int, peak: Peak) -> SizeFigures:
        """All parts at one size of picture, a multiple of 16."""
        if self._cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._device)
        with fastest_attention(self._device):
            timings = [*self._stage(width, height, peak)]
        timings += [*self._attention(width, height, peak), *self._decoder(width, height, peak)]
        timings += [*self._light_decoder(width, height, peak), *self._layer_copies(peak)]
        memory = torch.cuda.max_memory_allocated(self._device) if self._cuda else 0
        rates = (_frames_per_s(timings, decoder) for decoder in ("decode", LIGHT))
        return SizeFigures(width, height, timings, memory / 2**30, *rates)

    def _stage(self, width: int, height: int, peak: Peak) -> Iterator[Timing]:
        shape = (16, height // SPATIAL_STRIDE, width // SPATIAL_STRIDE)
        for float8 in (False, True):
            model = self._parts.transformer(shape, float8=float8)
            yield from self._stage_of(model, peak, float8)

    def _stage_of(self, model: WanS2V, peak: Peak, float8: bool) -> Iterator[Timing]:
        """The modes of one number format; the floor is that of 16 bits' arithmetic for both."""
        parts, kind = _StageParts(model, self._device), ", e4m3" if float8 else ""
        weights = sum(t.nbytes for t in (*model.parameters(), *model.buffers()))
        stage = self._floor(parts.stage, weights + parts.cached_bytes, peak)
        sink = self._floor(parts.sink, weights, peak)
        switch = self._floor(parts.switch, 3 * weights, peak)
        graph = ("CUDA graph" if self._cuda else "recorded") + kind
        yield self._timed("stage", f"eager{kind}", parts.stage, stage)
        yield self._timed("sink prefill", f"eager{kind}", parts.sink, sink)
        yield self._timed("cache switch", f"eager{kind}", parts.switch, switch)
        yield self._recorded(graph, parts, stage)
        if not float8:  # what goes in and out is the same
            yield from self._copies(parts, peak)
        if not self._cuda:
            return
        model.compile_serving()
        yield self._timed("stage", f"compiled{kind}", parts.stage, stage)
        yield self._timed("cache switch", f"compiled{kind}", parts.switch, switch)
        yield self._recorded(f"compiled, {graph}", parts, stage)

    def _attention(self, width: int, height: int, peak: Peak) -> Iterator[Timing]:
        """A layer's self-attention over a full window, by each kernel: a stage has one a layer."""
        shape = (16, height // SPATIAL_STRIDE, width // SPATIAL_STRIDE)
        q, k, v = self._parts.attention(shape)
        floor = 1000 * 4 * q.numel() * k.shape[2] / peak.flops
        for kernel in KERNELS if self._cuda else ("plain",):
            with only_attention(kernel):
                attend = partial(scaled_dot_product_attention, q, k, v)
                yield self._timed("attention", kernel, attend, floor)

    def _recorded(self, mode: str, parts: _StageParts, floor_ms: float) -> Timing:
        """A stage through what the nodes replay; the block's latent is copied in."""
        try:
            step = parts.recorded(call_recorder_for(self._device))
        except RuntimeError as error:
            return Timing("stage", mode, None, floor_ms, str(error)[:200])
        return self._timed("stage", mode, step, floor_ms)

    def _copies(self, parts: _StageParts, peak: Peak) -> Iterator[Timing]:
        """Bytes that a replay copies into its buffers, to the host and from the host."""
        inputs, everything = parts.inputs(), parts.inputs(anew=True)
        block, prompt = (
            2000 * size / peak.bytes for size in (parts.block_bytes, parts.condition_bytes)
        )
        yield self._timed("input copies", "latent and sound", inputs, block)
        yield self._timed("input copies", "new prompt and sink", everything, block + prompt)
        copies, rows = HostCopies(self._device), parts.pictures()
        host = parts.latent.cpu()
        yield self._timed("to the device", "latent", lambda: copies.to_device(host))
        yield self._timed("to the host", "latent", lambda: copies.to_host(parts.latent))
        yield self._timed("to the host", "4 pictures", lambda: copies.to_host(rows))
        yield self._timed("to the host", "4 pictures, pageable", rows.cpu)

    def _decoder(self, width: int, height: int, peak: Peak) -> Iterator[Timing]:
        vae = self._parts.autoencoder()
        latent = self._latent(width, height, vae.latent_channels)
        _, state = vae.decode(latent)  # in the middle of a stream

        def decode() -> None:
            vae.decode(latent, state)

        floor = self._floor(decode, 0, peak)
        yield self._timed("decode", "eager", decode, floor)
        if self._cuda:
            vae.network.to(memory_format=torch.channels_last_3d)
            yield self._timed("decode", "channels last", decode, floor)
            yield self._graphed("decode", "channels last, CUDA graph", decode, floor)

    def _light_decoder(self, width: int, height: int, peak: Peak) -> Iterator[Timing]:
        decoder = self._parts.light_decoder()
        latent = self._latent(width, height, decoder.latent_channels)
        _, state = decoder.decode(latent)

        def decode() -> None:
            decoder.decode(latent, state)

        floor = self._floor(decode, 0, peak)
        yield self._timed(LIGHT, "channels last", decode, floor)
        if self._cuda:
            yield self._graphed(LIGHT, "channels last, CUDA graph", decode, floor)

    def _layer_copies(self, peak: Peak) -> Iterator[Timing]:
        """A layer's weights from the host, as `model.offload_layers` brings them."""
        for float8 in (False, True):
            size = self._parts.layer_bytes(float8=float8)
            host = torch.empty(size, dtype=torch.uint8, pin_memory=self._cuda)
            room = torch.empty(size, dtype=torch.uint8, device=self._device)
            mode = "e4m3" if float8 else str(self._dtype).removeprefix("torch.")
            floor = 1000 * size / peak.bytes
            yield self._timed("layer copy", mode, partial(room.copy_, host, True), floor)

    def _latent(self, width: int, height: int, channels: int) -> Tensor:
        """A block's, [1, F, C, h, w]."""
        rows, columns = height // SPATIAL_STRIDE, width // SPATIAL_STRIDE
        return torch.randn(
            1, _TIMING.latents_per_block, channels, rows, columns, device=self._device
        )

    def _floor(self, call: Callable[[], object], traffic: int, peak: Peak) -> float:
        """The longer of arithmetic and memory traffic at the device's own best [ms]."""
        with FlopCounterMode(display=False) as counter:
            call()
        return 1000 * max(counter.get_total_flops() / peak.flops, traffic / peak.bytes)

    def _timed(
        self, part: str, mode: str, call: Callable[[], object], floor_ms: float | None = None
    ) -> Timing:
        try:
            return Timing(part, mode, 1000 * self._seconds(call), floor_ms)
        except Exception as error:  # a mode that this machine lacks leaves the others to measure
            return Timing(part, mode, None, floor_ms, str(error).splitlines()[0][:200])

    def _graphed(self, part: str, mode: str, call: Callable[[], object], floor_ms: float) -> Timing:
        """`call` recorded once as a CUDA graph and replayed."""
        try:
            side = torch.cuda.Stream(self._device)
            side.wait_stream(torch.cuda.current_stream(self._device))
            with torch.cuda.stream(side):
                for _ in range(3):
                    call()
            torch.cuda.current_stream(self._device).wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                call()
        except Exception as error:
            return Timing(part, mode, None, floor_ms, str(error).splitlines()[0][:200])
        return self._timed(part, mode, graph.replay, floor_ms)

    def _seconds(self, call: Callable[[], object]) -> float:
        """Median of `repeats` runs after two that warm up."""
        times = []
        for run in range(self._repeats + 2):
            self._wait()
            begin = time.perf_counter()
            call()
            self._wait()
            if run >= 2:
                times.append(time.perf_counter() - begin)
        return statistics.median(times)

    def _wait(self) -> None:
        if self._cuda:
            torch.cuda.synchronize(self._device)


class _StageParts:
    """A model in the middle of a stream: its caches are full."""

    def __init__(self, model: WanS2V, device: torch.device) -> None:
        config = model.config
        self._model = model
        self._x = torch.randn(1, *config.block_shape, device=device)
        self._t = torch.tensor([_T], device=device)
        audio = torch.randn(1, *config.audio_shape, device=device)
        self._sound = model.encode_audio(audio)
        states = torch.randn(1, config.text_len, config.text_dim, device=device)
        self._text = model.encode_text(states)
        shape = config.sink_shape(motion=config.enable_framepack)
        self._still = torch.randn(1, *shape, device=device)
        sink = model.prefill_sink(self._still, self._text)
        places = (Places(config.sink_position),)
        self._conditions = Conditions(self._sound, self._text, sink, None, places)
        self._past_window = PastWindow(model, [_T], config.past_blocks)
        for _ in range(config.past_blocks):
            self._past_window.take(self._conditions, [self.latent])

    @property
    def latent(self) -> Tensor:
        """A block's, float32 [C, F, H, W]."""
        return self._x[0]

    @property
    def block_bytes(self) -> int:
        """Latent and sound of a block."""
        return self._x.nbytes + sum(part.nbytes for part in self._sound)

    @property
    def condition_bytes(self) -> int:
        """Keys and values of prompt and sink."""
        return _bytes([self._text.layers, self._conditions.sink.layers])

    @property
    def cached_bytes(self) -> int:
        """Bytes of its caches that a stage reads."""
        past = [block.layers for block in self._past_window.seen_from(0)]
        return self.condition_bytes + _bytes(past)

    def pictures(self) -> Tensor:
        """Those that one latent frame makes, uint8 [4, H, W, 3]."""
        rows, columns = (SPATIAL_STRIDE * side for side in self._x.shape[-2:])
        return torch.zeros(4, rows, columns, 3, dtype=torch.uint8, device=self._x.device)

    def stage(self) -> None:
        past, room = self._past_window.seen_from(0), self._past_window.room(0)
        sink = self._conditions.sink
        _, kv = self._model.forward_block(
            self._x, self._t, self._sound, self._text, sink, past, room=room
        )
        self._past_window.put(0, kv)

    def recorded(self, recorder: CallRecorder) -> Callable[[], None]:
        """`stage` as a denoiser with `cuda_graphs` makes it, with all its recordings. Raises
        RuntimeError: it cannot be recorded.
        """
        steps = RecordedSteps(self._model, [self._t], recorder)

        def step() -> None:
            past, room = self._past_window.seen_from(0), self._past_window.room(0)
            assert room is not None
            steps.velocity(0, self.latent, self._conditions, past, room)
            self._past_window.put(0, room)

        for _ in range(2 * self._model.config.past_blocks):
            step()
        if steps.failure:
            raise RuntimeError(steps.failure)
        return step

    def inputs(self, *, anew: bool = False) -> Callable[[], None]:
        """Copies a block's latent and sound into the buffers of a recording; anew: prompt and sink,
        too.
        """
        window = self._model.config.past_blocks
        key_rope = self._conditions.key_rope(self._model, 0, self.latent, window)
        inputs = StepInputs(self.latent, self._conditions, key_rope)

        def load() -> None:
            if anew:
                inputs.release()
            sound = AudioTokens(*self._sound)  # of another block
            inputs.load(self.latent, self._conditions._replace(sound=sound), key_rope)

        return load

    def sink(self) -> object:
        return self._model.prefill_sink(self._still, self._text)

    def switch(self) -> None:
        """The caches of one step, rebuilt under another prompt."""
        self._past_window.switch(self._text)


def _bytes(layers: Iterable[Sequence[LayerKV]]) -> int:
    return sum(part.nbytes for kvs in layers for kv in kvs for part in kv)


def _frames_per_s(timings: list[Timing], decoder: str) -> dict[int, float]:
    """Frames/s on 1, 2 and 5 GPUs, from the fastest stage and that decoder at its fastest."""

    def fastest(part: str) -> float:
        return min(t.ms for t in timings if t.part == part and t.ms is not None)

    stage, decode = fastest("stage"), fastest(decoder)
    block_ms = {1: STEPS * stage + decode, 2: max(STEPS * stage, decode), 5: max(stage, decode)}
    return {gpus: 1000 * _TIMING.frames_per_block / ms for gpus, ms in block_ms.items()}
