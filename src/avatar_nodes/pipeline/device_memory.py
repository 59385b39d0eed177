"""Computes the memory that a profile of the large model takes of each device, from its sizes.

The parts are built on the meta device, as they are when they serve, and their bytes counted; so
nothing has to be downloaded. Where the weights are there already, their own sizes count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from avatar_nodes.model.checkpoint import CheckpointError
from avatar_nodes.model.device import DTYPES
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.float8 import use_float8
from avatar_nodes.model.frame_packer import motion_tokens
from avatar_nodes.model.light_decoder import PUBLISHED_WIDTHS, LightDecoder
from avatar_nodes.model.offload import BUFFERS, OffloadError, offloaded_layers, padded_bytes
from avatar_nodes.model.read_config import read_config
from avatar_nodes.model.wan_folder import (
    AUDIO_MODEL,
    SPATIAL_STRIDE,
    TEXT_ENCODER,
    VIDEO_VAE,
    is_published_wan,
)
from avatar_nodes.profile import Profile

HOST = "host, pinned"
SINKS, PROMPTS = 2, 4
"""Of which a stage holds keys and values: the reference and the stream's own start; the last few
prompts."""
_VAE_WIDTH = 96
_TEXT: dict[str, Any] = {
    "vocab_size": 256384, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24,
    "num_heads": 64, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False,
}  # fmt: skip
_AUDIO: dict[str, Any] = {
    "vocab_size": 33, "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
    "intermediate_size": 4096, "feat_extract_norm": "layer", "conv_bias": True,
    "do_stable_layer_norm": True, "mask_time_prob": 0.0, "mask_feature_prob": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class MemoryPart:
    """Bytes that a node takes of a device's memory."""

    device: str
    node: str
    what: str
    bytes: int


def memory_parts(profile: Profile) -> list[MemoryPart]:
    """What the profile's nodes take, device by device; nothing for a small model of our own.

    Not counted: what kernels need while they run, and CUDA itself.

    Raises:
        CheckpointError: files of the checkpoint are there, and broken.
    """
    folder = Path(profile.model.checkpoint)
    if (folder / "config.json").is_file() and not is_published_wan(folder):
        return []
    parts = [*_denoisers(profile), *_decoder(profile), *_conductor(profile)]
    return sorted(parts, key=lambda part: (part.device == HOST, part.device))


def memory_by_device(parts: Iterable[MemoryPart]) -> dict[str, int]:
    """The sum of each device."""
    sums: dict[str, int] = {}
    for part in parts:
        sums[part.device] = sums.get(part.device, 0) + part.bytes
    return sums


def memory_table(parts: list[MemoryPart]) -> str:
    """A line for each part and each device's sum, in GB of 10^9 bytes."""
    lines = [f"{'device':<14}{'node':<14}{'what':<44}{'GB':>7}"]
    for device, total in memory_by_device(parts).items():
        for part in parts:
            if part.device == device:
                lines.append(_line(device, part.node, part.what, part.bytes))
        lines.append(_line(device, "all", "", total))
    return "\n".join(lines)


def _line(device: str, node: str, what: str, size: int) -> str:
    return f"{device:<14}{node:<14}{what:<44}{size / 1e9:7.1f}"


def _denoisers(profile: Profile) -> Iterator[MemoryPart]:
    model, config = profile.model, transformer_config(profile)
    weights, on_host = _weights(config, DTYPES[model.dtype], model.float8, model.offload_layers)
    block = _keys_values(config, profile, config.timing.latents_per_block)
    shared: set[tuple[str, str]] = set()
    for number, place in enumerate(profile.placement.denoisers, start=1):
        node, device = f"denoiser_{number}", place.device
        home = (_process_of(profile, node), device)
        if home not in shared:  # stages of one process share what they can
            yield MemoryPart(device, node, "weights of the transformer", weights)
        if on_host:
            yield MemoryPart(HOST, node, "weights of offloaded layers", on_host)
        else:
            shared.add(home)
        steps, past = len(place.steps), model.past_blocks
        caches = steps * past * block
        yield MemoryPart(device, node, f"past: {past} blocks in {steps} steps", caches)
        # before it has a slot: keys, and values, a part of what q, k and v were computed as one
        yield MemoryPart(device, node, "the block being made", 2 * block)
        if profile.conversation.cache_switch:
            yield MemoryPart(device, node, "rebuilt ahead (mode converse)", caches)
        sink = SINKS * _sink(config, profile)
        yield MemoryPart(device, node, f"{SINKS} sinks", sink)
        text = PROMPTS * _bytes_of_tokens(config, profile, config.text_len)
        yield MemoryPart(device, node, f"{PROMPTS} prompts", text)
        if model.cuda_graphs:
            inputs = sink // SINKS + text // PROMPTS
            yield MemoryPart(device, node, "sink and prompt of recorded passes", inputs)


def _decoder(profile: Profile) -> Iterator[MemoryPart]:
    from avatar_nodes.model.wan_vae import WanVAE, check_wan_vae, video_autoencoder

    model, device = profile.model, profile.placement.decoder.device
    dtype, path = DTYPES[model.dtype], Path(model.checkpoint) / VIDEO_VAE
    network = check_wan_vae(path) if path.is_file() else video_autoencoder(_VAE_WIDTH)
    for parameter in network.parameters():
        parameter.data = parameter.data.to(dtype)
    decoder: Any = WanVAE(network)
    if model.light_decoder:
        network.decoder = network.post_quant_conv = nn.Identity()
        decoder = _light_decoder(profile).to(dtype)
        yield MemoryPart(device, "decoder", "light decoder", _bytes(decoder))
        yield MemoryPart(device, "decoder", "video encoder", _bytes(network))
    else:
        yield MemoryPart(device, "decoder", "video autoencoder", _bytes(network))
    rows, columns = (side // SPATIAL_STRIDE for side in (profile.video.height, profile.video.width))
    latents = torch.empty(1, 2, decoder.latent_channels, rows, columns, device="meta")
    with torch.inference_mode():
        _, state = decoder.decode(latents)
    kept = sum(tensor.nbytes for tensor in state if isinstance(tensor, Tensor))
    yield MemoryPart(device, "decoder", "what it remembers", kept)


def _light_decoder(profile: Profile) -> LightDecoder:
    from avatar_nodes.model.light_decoder import check_light_decoder

    path = Path(profile.model.checkpoint) / profile.model.light_decoder
    if path.is_file():
        return check_light_decoder(path)
    with torch.device("meta"):
        return LightDecoder(PUBLISHED_WIDTHS)


def _conductor(profile: Profile) -> Iterator[MemoryPart]:
    """transformers, whose import takes seconds, is imported only here."""
    from transformers import UMT5Config, UMT5EncoderModel, Wav2Vec2Config, Wav2Vec2Model

    from avatar_nodes.model.wan_text import TIED, check_text_encoder
    from avatar_nodes.model.wav2vec import check_wav2vec

    folder, place = Path(profile.model.checkpoint), profile.placement.conductor
    with torch.device("meta"):
        text = UMT5EncoderModel(UMT5Config(**_TEXT))
        audio = Wav2Vec2Model(Wav2Vec2Config(**_AUDIO))
    if (folder / TEXT_ENCODER).is_file():
        text = check_text_encoder(folder)
    if (folder / AUDIO_MODEL).is_dir():
        audio = check_wav2vec(folder / AUDIO_MODEL)
    numbers = sum(t.numel() for name, t in text.state_dict().items() if name not in TIED)
    size = numbers * DTYPES[profile.model.dtype].itemsize
    yield MemoryPart(place.text_device, "conductor", "text encoder", size)
    yield MemoryPart(place.audio_device, "conductor", "audio model", _bytes(audio))


def transformer_config(profile: Profile) -> DiTConfig:
    """At the profile's size of pictures; the published one where there is none yet."""
    folder, video = profile.model.checkpoint, profile.video
    if (Path(folder) / "config.json").is_file():
        return read_config(folder, size=(video.width, video.height))
    rows, columns = video.height // SPATIAL_STRIDE, video.width // SPATIAL_STRIDE
    return DiTConfig(latent_shape=(16, rows, columns))


@lru_cache(maxsize=8)
def _weights(
    config: DiTConfig, dtype: torch.dtype, float8: bool, offload_layers: int
) -> tuple[int, int]:
    """Bytes of the transformer's weights on the device, and on the host."""
    with torch.device("meta"):
        model = WanS2V(config)
    if float8:
        use_float8(model, dtype)
    model.serving(dtype)
    whole = _bytes(model)
    try:
        away = len(offloaded_layers(len(model.layers), offload_layers))
    except OffloadError as error:
        raise CheckpointError(str(error)) from None
    if not away:
        return whole, 0
    layer, padded = _bytes(model.layers[0]), padded_bytes(model.layers[0])
    return whole - away * layer + BUFFERS * padded, away * padded


def _keys_values(config: DiTConfig, profile: Profile, frames: int) -> int:
    """Those of so many latent frames, in every layer."""
    rows, columns = config.patch_grid
    return _bytes_of_tokens(config, profile, frames * rows * columns)


def _sink(config: DiTConfig, profile: Profile) -> int:
    """Keys and values of a sink, and of its motion context."""
    motion = motion_tokens(*config.patch_grid) if profile.model.motion_tokens else 0
    return _keys_values(config, profile, 1) + _bytes_of_tokens(config, profile, motion)


def _bytes_of_tokens(config: DiTConfig, profile: Profile, tokens: int) -> int:
    return 2 * config.num_layers * tokens * config.dim * DTYPES[profile.model.dtype].itemsize


def _bytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))


def _process_of(profile: Profile, node: str) -> str:
    for process, nodes in profile.placement.processes.items():
        if node in nodes:
            return process
    return node
