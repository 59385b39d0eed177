"""Builds the large model's parts with random weights, of real size or small, for benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.float8 import use_float8
from avatar_nodes.model.heavy_layers import is_heavy
from avatar_nodes.model.light_decoder import PUBLISHED_WIDTHS, LightDecoder
from avatar_nodes.model.offload import padded_bytes
from avatar_nodes.model.wan_vae import WanVAE, video_autoencoder

Scale = Literal["wan_s2v_14b", "small"]
_TRANSFORMER: dict[Scale, dict[str, Any]] = {
    "wan_s2v_14b": {},
    "small": {
        "dim": 64, "num_heads": 2, "ffn_dim": 128, "num_layers": 2, "text_dim": 32, "text_len": 16,
        "audio_dim": 16, "audio_inject_layers": (0,),
    },
}  # fmt: skip
_VAE_WIDTH: dict[Scale, int] = {"wan_s2v_14b": 96, "small": 8}
_LIGHT_WIDTHS: dict[Scale, tuple[int, int, int, int]] = {
    "wan_s2v_14b": PUBLISHED_WIDTHS,
    "small": (16, 8, 8, 8),
}


class RandomParts:
    """Makes them on a device, in a number format, as they are when they serve."""

    def __init__(self, scale: Scale, dtype: torch.dtype, device: torch.device) -> None:
        self._scale = scale
        self._dtype = dtype
        self._device = device

    def transformer(self, latent_shape: tuple[int, int, int], *, float8: bool) -> WanS2V:
        """latent_shape: (C, H, W) of a latent frame."""
        with torch.device("meta"):
            model = WanS2V(DiTConfig(latent_shape=latent_shape, **_TRANSFORMER[self._scale]))
        _fill(model, lambda n: self._dtype if is_heavy(n) else torch.float32, self._device)
        if float8:
            use_float8(model, self._dtype)
        return model.serving(self._dtype)

    def attention(self, latent_shape: tuple[int, int, int]) -> tuple[Tensor, Tensor, Tensor]:
        """q [1, heads, S, d] of a block, k and v [1, heads, T, d] of its whole window."""
        config = DiTConfig(latent_shape=latent_shape, **_TRANSFORMER[self._scale])
        _, rows, columns = latent_shape
        _, down, across = config.patch_size
        frame = (rows // down) * (columns // across)
        block = config.timing.latents_per_block * frame
        lengths = (block, *(2 * (frame + (config.past_blocks + 1) * block,)))
        heads = config.num_heads
        q, k, v = (
            torch.randn(1, heads, length, config.head_dim, device=self._device, dtype=self._dtype)
            for length in lengths
        )
        return q, k, v

    def layer_bytes(self, *, float8: bool) -> int:
        """Bytes of one of the transformer's layers."""
        with torch.device("meta"):
            model = WanS2V(DiTConfig(**_TRANSFORMER[self._scale]))
        if float8:
            use_float8(model, self._dtype)
        return padded_bytes(model.serving(self._dtype).layers[0])

    def autoencoder(self) -> WanVAE:
        """Not yet laid out as GPUs want it."""
        network = video_autoencoder(_VAE_WIDTH[self._scale])
        _fill(network, lambda _: self._dtype, self._device)
        return WanVAE(network.eval().requires_grad_(False))

    def light_decoder(self) -> LightDecoder:
        """In channels-last order."""
        with torch.device("meta"):
            decoder = LightDecoder(_LIGHT_WIDTHS[self._scale])
        _fill(decoder, lambda _: self._dtype, self._device)
        decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return decoder


def _fill(module: nn.Module, dtype_of: Callable[[str], torch.dtype], device: torch.device) -> None:
    """Random weights on `device`, of a module on the meta device."""
    for name, parameter in list(module.named_parameters()):
        owner = module.get_submodule(name.rpartition(".")[0])
        values = torch.empty(parameter.shape, dtype=dtype_of(name), device=device)
        values.normal_(std=0.02)
        leaf = name.rpartition(".")[2]
        setattr(owner, leaf, nn.Parameter(values, requires_grad=False))
