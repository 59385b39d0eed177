"""From a checkpoint folder and a profile's values to the parts of a stream.

The nodes and the loop in one process are put together here and nowhere else, so they cannot differ.
transformers, whose import takes seconds, is imported only where it is needed: most nodes do
without, and are back the sooner after a fault.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from avatar_nodes.block.block import Prompt
from avatar_nodes.block.schedule import Schedule
from avatar_nodes.block.timing import TimingError
from avatar_nodes.decoding.decoder import StreamingDecoder, TinyStreamingDecoder
from avatar_nodes.denoising.recorded_call import call_recorder_for
from avatar_nodes.denoising.stage import KVCacheKind, Stage
from avatar_nodes.denoising.warm_up import warm_up
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.model.checkpoint import CheckpointError, load_compressor, load_served
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig, ModelConfigError
from avatar_nodes.model.light_decoder import load_light_decoder
from avatar_nodes.model.lora import LoraFile
from avatar_nodes.model.offload import OffloadError
from avatar_nodes.model.tiny_vae import load_vae
from avatar_nodes.model.wan_folder import (
    AUDIO_MODEL,
    SPATIAL_STRIDE,
    VIDEO_VAE,
    is_published_wan,
)
from avatar_nodes.pipeline.pipeline import AAS_FROM_BLOCK, Pipeline
from avatar_nodes.remembering.frame_features import FrameFeatures, PooledLatents, Siglip2Features
from avatar_nodes.remembering.key_frames import KeyFrameRules, Policy
from avatar_nodes.remembering.memory_stage import MemoryStage

if TYPE_CHECKING:
    from avatar_nodes.block.audio_features import AudioFeatures
    from avatar_nodes.model.text import TextEncoder
    from avatar_nodes.model.wan_text import WanTextEncoder

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class MemorySettings:
    """What a profile says of visual memory.

    short, long: latent frames in short and long memory (0: none; None: as the model was trained).
    lag: blocks by which a block's memory is behind it; below the blocks in flight it would hold
    them up. features: `latents`, or the folder of a SigLIP 2 model. The others: see KeyFrameRules.
    """

    short: int | None = None
    long: int | None = None
    lag: int = 4
    features: str = "latents"
    policy: Policy = "diverse"
    gate: float | None = None
    half_life: float | None = None
    seed: int = 0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> MemorySettings:
        """From the memory node's parameters, which are the keys of the profile's section."""
        return cls(
            short=None if values["short"] < 0 else values["short"],
            long=None if values["long"] < 0 else values["long"],
            lag=values["lag"],
            features=values["features"],
            policy=values["selection"],
            gate=values["gate"] if values["gated"] else None,
            half_life=values["half_life"] or None,
            seed=values["seed"],
        )

    def rules(self, capacity: int) -> KeyFrameRules:
        """How a bank of that many key frames chooses. Raises ValueError."""
        return KeyFrameRules(
            capacity=capacity,
            policy=self.policy,
            gate=self.gate,
            half_life=self.half_life,
            seed=self.seed,
        )


class AssemblyError(ConfigurationError):
    """Parts that do not fit together, or a device that is not there; one line."""


def build_stage(
    checkpoint: str | Path,
    *,
    sigmas: Sequence[float],
    steps: Sequence[int],
    past_blocks: int,
    rolling_rope: bool = True,
    kv_cache: KVCacheKind = "same_noise",
    switch_max_sigma: float = 1.0,
    size: tuple[int, int] | None = None,
    lora: str | Path = "",
    lora_scale: float = 0.5,
    dtype: str = "float32",
    float8: bool = False,
    offload_layers: int = 0,
    compile_layers: bool = False,
    cuda_graphs: bool = False,
    cache_switch: bool = False,
    device: str = "cpu",
) -> Stage:
    """A denoising stage; stages of one process on the same device share one model.

    size: width and height of the pictures, see `read_config`. lora: a file to merge into the
    weights, beside them if the path is relative (empty: none). float8: large matrices in 8 bits.
    offload_layers: that many layers stay on the host; the model is then this stage's alone.
    compile_layers: with torch.compile, and warmed up: takes minutes. cuda_graphs: the passes over a
    full window are recorded, before this returns (on a CPU: made again from the same buffers).
    cache_switch: caches are going to be switched ahead (`Stage.prepare`): with those as well.

    Raises:
        CheckpointError, AssemblyError, ScheduleError, StageError: what does not fit, in one line.
    """
    adapter = (str(lora), lora_scale) if lora else None
    load = _load_model if offload_layers else _shared_model  # one thread runs what is offloaded
    model = load(
        Path(checkpoint).resolve(), dtype, checked_device(device), size, adapter, float8,
        offload_layers,
    )  # fmt: skip
    stage = Stage(
        model, Schedule(sigmas), steps, past_blocks=past_blocks, rolling_rope=rolling_rope,
        kv_cache=kv_cache, switch_max_sigma=switch_max_sigma,
        call_recorder=call_recorder_for(torch.device(device)) if cuda_graphs else None,
    )  # fmt: skip
    if compile_layers:
        model.compile_serving()
    if compile_layers or cuda_graphs:
        warm_up(stage, model.config, past_blocks, switches=cache_switch)
    return stage


def build_decoder(
    checkpoint: str | Path,
    *,
    width: int,
    height: int,
    light: str | Path = "",
    dtype: str = "float32",
    device: str = "cpu",
) -> StreamingDecoder:
    """The video decoder of a checkpoint, which makes pictures of `width` x `height`.

    light: file of a light decoder, beside the weights if the path is relative (empty: the
    checkpoint's own decoder); for published weights only.

    Raises:
        CheckpointError, AssemblyError: what does not fit, in one line.
    """
    if is_published_wan(checkpoint):
        return _wan_decoder(Path(checkpoint), light, _dtype(dtype), checked_device(device))
    if light:
        raise AssemblyError(f"{checkpoint}: a light decoder ({light}) is for Wan's latents only")
    vae = load_vae(Path(checkpoint) / "vae")
    stride = vae.config.spatial_stride
    _, rows, columns = read_config(checkpoint).latent_shape
    if (columns * stride, rows * stride) != (width, height):
        raise AssemblyError(
            f"{checkpoint}: makes {columns * stride}x{rows * stride} pictures,"
            f" the profile asks for {width}x{height}"
        )
    return TinyStreamingDecoder(vae, device=checked_device(device), dtype=_dtype(dtype))


def _wan_decoder(
    folder: Path, light: str | Path, dtype: torch.dtype, device: str
) -> StreamingDecoder:
    from avatar_nodes.decoding.wan_decoder import WanStreamingDecoder
    from avatar_nodes.model.wan_vae import load_wan_vae  # diffusers: seconds

    small = load_light_decoder(folder / light, dtype=dtype, device=device) if light else None
    vae = load_wan_vae(folder / VIDEO_VAE, dtype=dtype, device=device, decodes=small is None)
    return WanStreamingDecoder(vae, small)


def frame_features(name: str, *, frames_per_latent: int = 4, device: str = "cpu") -> FrameFeatures:
    """`latents`, or the folder of a SigLIP 2 model. Raises AssemblyError, FrameFeaturesError."""
    if name == "latents":
        return PooledLatents()
    return Siglip2Features(name, frames_per_latent=frames_per_latent, device=checked_device(device))


def build_memory(
    checkpoint: str | Path, settings: MemorySettings, *, device: str = "cpu"
) -> MemoryStage:
    """Visual memory with a checkpoint's compressor.

    Raises:
        CheckpointError, AssemblyError, FrameFeaturesError: what does not fit, in one line.
    """
    compressor = load_compressor(checkpoint)
    config = read_config(checkpoint)
    assert config.memory is not None and config.memory_shape is not None
    try:
        rules = settings.rules(config.memory.long if settings.long is None else settings.long)
    except ValueError as error:
        raise AssemblyError(f"memory: {error}") from None
    return MemoryStage(
        compressor.to(checked_device(device)),
        frame_features(
            settings.features, frames_per_latent=config.timing.frames_per_latent, device=device
        ),
        rules=rules,
        short=config.memory.short if settings.short is None else settings.short,
        lag=settings.lag,
        latent_shape=config.block_shape,
        block_frames=config.timing.frames_per_block,
        frame_shape=config.memory_shape,
    )


def build_features(
    checkpoint: str | Path, *, context_s: float = 4.0, lookahead_s: float = 0.16,
    device: str = "cpu",
) -> AudioFeatures:  # fmt: skip
    """The audio features that a checkpoint was trained on, always computed in float32.

    context_s, lookahead_s: sound that a large audio model hears around a block [s].

    Raises:
        CheckpointError, AssemblyError: as above.
    """
    from avatar_nodes.block.audio_features import MelFeatures

    config = read_config(checkpoint)
    features: AudioFeatures
    try:
        if is_published_wan(checkpoint):
            from avatar_nodes.model.wav2vec import load_wav2vec
            from avatar_nodes.model.wav2vec_features import Wav2VecFeatures

            model = load_wav2vec(Path(checkpoint) / AUDIO_MODEL, device=checked_device(device))
            features = Wav2VecFeatures(
                model, config.timing, context_s=context_s, lookahead_s=lookahead_s
            )
            made = (model.layers, model.dim)
        else:
            features = MelFeatures(config.timing)
            made = (1, features.dim)
    except TimingError as error:
        raise AssemblyError(f"{checkpoint}: {error}") from None
    if (config.num_audio_layers, config.audio_dim) != made:
        raise AssemblyError(
            f"{checkpoint}: needs audio features of {config.num_audio_layers} x {config.audio_dim},"
            f" there are those of {made[0]} x {made[1]}"
        )
    return features


def build_pipeline(
    checkpoint: str | Path, *, sigmas: Sequence[float], past_blocks: int, width: int, height: int,
    dtype: str = "float32", device: str = "cpu", aas_from_block: int | None = AAS_FROM_BLOCK,
    rolling_rope: bool = True, kv_cache: KVCacheKind = "same_noise", cache_switching: bool = False,
    switch_max_sigma: float = 1.0,
    memory: MemorySettings | None = None, lora: str | Path = "", lora_scale: float = 0.5,
    float8: bool = False, offload_layers: int = 0, light_decoder: str | Path = "",
) -> Pipeline:  # fmt: skip
    """All steps of a checkpoint, its decoder and its features, as one loop in this process.

    aas_from_block, rolling_rope, kv_cache, cache_switching, switch_max_sigma: see `Pipeline` and
    `Stage`; the defaults are Live Avatar's method, anything else an ablation of it or
    InteractiveAvatar's. memory: the checkpoint must have a compressor.

    Raises:
        CheckpointError, AssemblyError, ScheduleError, StageError: as above.
    """
    stage = build_stage(
        checkpoint, sigmas=sigmas, steps=range(len(sigmas) - 1), past_blocks=past_blocks,
        rolling_rope=rolling_rope, kv_cache=kv_cache, switch_max_sigma=switch_max_sigma,
        size=(width, height), lora=lora, lora_scale=lora_scale, dtype=dtype, float8=float8,
        offload_layers=offload_layers, device=device,
    )  # fmt: skip
    decoder = build_decoder(
        checkpoint, width=width, height=height, light=light_decoder, dtype=dtype, device=device
    )
    return Pipeline(
        [stage], decoder, build_features(checkpoint, device=device), past_blocks=past_blocks,
        aas_from_block=aas_from_block, cache_switching=cache_switching,
        memory=None if memory is None else build_memory(checkpoint, memory, device=device),
    )  # fmt: skip


class PromptEncoder:
    """Turns a text into the prompt that travels: an id, and the states that stages attend to."""

    def __init__(
        self, checkpoint: str | Path, *, dtype: str = "float32", device: str = "cpu"
    ) -> None:
        """dtype, device: of a large encoder; a small one is always float32, on the CPU.

        Raises CheckpointError, AssemblyError.
        """
        config = read_config(checkpoint)
        self._encoder: TextEncoder | WanTextEncoder
        if is_published_wan(checkpoint):
            from avatar_nodes.model.wan_text import WanTextEncoder

            self._encoder = WanTextEncoder.load(
                checkpoint,
                text_len=config.text_len,
                dtype=_dtype(dtype),
                device=checked_device(device),
            )
        else:
            from avatar_nodes.model.text import TextEncoder  # transformers: spared to other stages

            folder = Path(checkpoint) / "text_encoder"
            self._encoder = TextEncoder.load(folder, text_len=config.text_len)
        if self._encoder.text_dim != config.text_dim:
            raise AssemblyError(
                f"{checkpoint}: needs text states of {config.text_dim}, there are those of"
                f" {self._encoder.text_dim}"
            )

    def encode(self, text: str) -> Prompt:
        """The same text always gives the same id and states."""
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return Prompt(id=digest, text=text, states=self._encoder.encode(text).float().cpu())


def read_config(checkpoint: str | Path, *, size: tuple[int, int] | None = None) -> DiTConfig:
    """The transformer's configuration: latent shape, window, widths.

    size: width and height that a published Wan model, which is of no one size, is to make.

    Raises:
        CheckpointError: there is none, or none that can be built.
    """
    try:
        config = DiTConfig.read(Path(checkpoint) / "config.json")
        return replace(config, **_sized(checkpoint, config.in_dim, size))
    except ModelConfigError as error:
        raise CheckpointError(str(error)) from None


def _sized(checkpoint: str | Path, channels: int, size: tuple[int, int] | None) -> dict[str, Any]:
    """The field of the configuration that follows from the size of the pictures."""
    if size is None or not is_published_wan(checkpoint):
        return {}
    width, height = size
    return {"latent_shape": (channels, height // SPATIAL_STRIDE, width // SPATIAL_STRIDE)}


def _load_model(
    checkpoint: Path, dtype: str, device: str, size: tuple[int, int] | None,
    lora: tuple[str, float] | None, float8: bool, offload_layers: int,
) -> WanS2V:  # fmt: skip
    shape = _sized(checkpoint, read_config(checkpoint).in_dim, size)
    adapter = None if lora is None else LoraFile(checkpoint / lora[0], scale=lora[1])
    try:
        return load_served(
            checkpoint, dtype=_dtype(dtype), device=device, lora=adapter, float8=float8,
            offload_layers=offload_layers, **shape,
        )  # fmt: skip
    except OffloadError as error:
        raise AssemblyError(f"{checkpoint}: {error}") from None


_shared_model = lru_cache(maxsize=4)(_load_model)


def _dtype(name: str) -> torch.dtype:
    if name not in DTYPES:
        raise AssemblyError(f"dtype: expected one of {', '.join(DTYPES)}, got {name!r}")
    return DTYPES[name]


def checked_device(name: str) -> str:
    """The same name. Raises AssemblyError: no such device on this machine."""
    try:
        kind, index = torch.device(name).type, torch.device(name).index or 0
    except RuntimeError:
        raise AssemblyError(f"device: expected cpu, cuda or cuda:N, got {name!r}") from None
    if kind == "cuda" and not (torch.cuda.is_available() and index < torch.cuda.device_count()):
        raise AssemblyError(f"device {name}: not on this machine, or torch is without CUDA")
    return name
