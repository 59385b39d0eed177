"""The autoencoder of Wan 2.1: diffusers' network, Wan's file, and a state for endless decoding.

Causal in time. The first latent frame of a stream is one picture; each one after it is four. What
the convolutions remember is handed from call to call, so a stream decoded latent by latent is the
whole video's decoding, bit for bit.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from avatar_nodes.model.load_tensors import Spelling, check_tensors, load_tensors
from avatar_nodes.model.tensor_files import CheckpointError, tensor_shapes
from avatar_nodes.model.wan_folder import SPATIAL_STRIDE

WanState = list[Any]
"""What each causal convolution of the decoder remembers of its last two inputs."""

_WIDTH = "encoder.conv1.weight"
_LAYERS_OF_UP_BLOCK = 4
_OF_DECODER = re.compile(r"(decoder|conv2)\..+")
_IN_RESIDUAL = {
    "norm1": "residual.0",
    "conv1": "residual.2",
    "norm2": "residual.3",
    "conv2": "residual.6",
    "conv_shortcut": "shortcut",
}
_AT_THE_ENDS = {
    "quant_conv": "conv1",
    "post_quant_conv": "conv2",
    "conv_in": "conv1",
    "norm_out": "head.0",
    "conv_out": "head.2",
}


class WanVAE:
    """Latents in and out are normalised, [B, F, C, h, w]; frames are in about -1..1."""

    def __init__(self, network: nn.Module) -> None:
        """network: diffusers' AutoencoderKLWan."""
        self.network = cast(Any, network)
        like = next(network.parameters())
        mean, std = (
            torch.tensor(values, dtype=torch.float32, device=like.device).view(-1, 1, 1, 1)
            for values in (self.network.config.latents_mean, self.network.config.latents_std)
        )
        self._mean, self._std = mean, std
        self._dtype, self.device = like.dtype, like.device
        layers = [type(layer).__name__ for layer in self.network.decoder.modules()]
        self._memories = layers.count("WanCausalConv3d")

    @property
    def latent_channels(self) -> int:
        return int(self.network.config.z_dim)

    def encode(self, frames: Tensor) -> Tensor:
        """Frames [B, 1 + 4k, 3, H, W] -> the means of latents [B, 1 + k, C, H/8, W/8], float32.

        Raises:
            ValueError: another number of frames, or a side that is no multiple of 8.
        """
        count, _, height, width = frames.shape[1:]
        if count % 4 != 1 or height % SPATIAL_STRIDE or width % SPATIAL_STRIDE:
            raise ValueError(
                f"frames {tuple(frames.shape)}: need 1 + 4k frames and sides that are multiples of"
                f" {SPATIAL_STRIDE}"
            )
        video = frames.transpose(1, 2).to(self.device, self._dtype)
        z = self.network.encode(video).latent_dist.mode().float()
        return ((z - self._mean) / self._std).transpose(1, 2)

    def decode(self, z: Tensor, state: WanState | None = None) -> tuple[Tensor, WanState]:
        """Frames [B, 4F, 3, 8h, 8w] of the latents [B, F, C, h, w] that come after `state`, and the
        new state. None begins a stream: its first latent is one frame, so there are 4F - 3.
        """
        z = z.transpose(1, 2).to(self.device, torch.float32) * self._std + self._mean
        z = self.network.post_quant_conv(z.to(self._dtype))
        kept: WanState = [None] * self._memories if state is None else list(state)
        frames = []
        for index, latent in enumerate(z.split(1, dim=2)):
            first = state is None and index == 0
            frames.append(
                self.network.decoder(latent, feat_cache=kept, feat_idx=[0], first_chunk=first)
            )
        return torch.cat(frames, dim=2).transpose(1, 2), kept


def load_wan_vae(
    path: Path, *, dtype: torch.dtype = torch.float32, device: str = "cpu", decodes: bool = True
) -> WanVAE:
    """Reads `Wan2.1_VAE.pth`, each tensor straight onto `device`.

    decodes: False leaves the decoder out, which is more than half of it: for encoding only.

    Raises:
        CheckpointError: the file is missing or broken, a tensor is missing, extra or misshapen, or
            diffusers is not installed.
    """
    network, spelling = _without_weights(path), _SPELLING
    if not decodes:
        network.decoder = network.post_quant_conv = nn.Identity()
        spelling = replace(spelling, unused=_OF_DECODER)
    load_tensors(network, [path], dtype=dtype, device=device, spelling=spelling)
    if torch.device(device).type == "cuda":  # as its fast convolutions want the weights laid out
        network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return WanVAE(network.eval().requires_grad_(False))


def check_wan_vae(path: Path) -> nn.Module:
    """The network on the meta device, if the file holds its tensors. Raises CheckpointError."""
    network = _without_weights(path)
    check_tensors(network, [path], spelling=_SPELLING)
    return network


def video_autoencoder(width: int) -> nn.Module:
    """diffusers' network, `width` channels at the pictures' size (published: 96), on the meta
    device. Raises CheckpointError: no diffusers.
    """
    try:
        from diffusers import AutoencoderKLWan
    except ImportError as error:
        raise CheckpointError(
            f"Wan's video autoencoder needs diffusers ({error}): `pip install avatar_nodes[large]`"
        ) from error
    with torch.device("meta"):
        return cast(nn.Module, AutoencoderKLWan(base_dim=width))


def _without_weights(path: Path) -> nn.Module:
    shapes = tensor_shapes(path)
    width = shapes.get(_WIDTH, ())
    if len(width) != 5:
        raise CheckpointError(f"{path}: is no video autoencoder of Wan 2.1: has no {_WIDTH}")
    return video_autoencoder(width[0])


def _published(name: str) -> str:
    """Wan's name of a tensor of diffusers' network."""
    parts = name.split(".")
    if parts[0] in _AT_THE_ENDS:
        return ".".join([_AT_THE_ENDS[parts[0]], *parts[1:]])
    side, part, *rest = parts
    if part in _AT_THE_ENDS:
        return ".".join([side, _AT_THE_ENDS[part], *rest])
    if part == "mid_block":
        kind, index, *rest = rest
        return ".".join([side, "middle", *_middle(kind, int(index), rest)])
    if part == "down_blocks":
        index, *rest = rest
        return ".".join([side, "downsamples", index, *_residual(rest)])
    block, kind, index, *rest = rest
    place = int(block) * _LAYERS_OF_UP_BLOCK
    place += int(index) if kind == "resnets" else _LAYERS_OF_UP_BLOCK - 1
    return ".".join([side, "upsamples", str(place), *_residual(rest)])


def _middle(kind: str, index: int, rest: list[str]) -> list[str]:
    return ["1", *rest] if kind == "attentions" else [str(2 * index), *_residual(rest)]


def _residual(rest: list[str]) -> list[str]:
    return [_IN_RESIDUAL.get(rest[0], rest[0]), *rest[1:]]


_SPELLING = Spelling(published=_published)
