"""The tiny profile's video autoencoder: per-latent encoder, decoder with temporal memory.

The encoder folds four frames into channels and is stateless, so that a latent never depends on
where in the stream it was cut. Straight paths fold pixels into channels beside every change of size
(as DC-AE does). The decoder makes frames of latents alone (`tiny_decoder.py`), or looks at the
reference picture beside them (`reference_decoder.py`).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avatar_nodes.model.load_tensors import load_tensors
from avatar_nodes.model.reference_decoder import (
    Appearance,
    Painting,
    ReferenceDecoder,
    put_together,
)
from avatar_nodes.model.tensor_files import CheckpointError
from avatar_nodes.model.tiny_decoder import (
    FRAMES_PER_LATENT,
    DecoderState,
    ResidualBlock,
    TinyDecoder,
)
from avatar_nodes.model.tiny_vae_config import TinyVAEConfig


class Downsample(nn.Module):
    """Half the size: a strided convolution beside the pixels folded into channels."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        folded = F.pixel_unshuffle(x, 2)
        return y + folded.unflatten(1, (y.shape[1], -1)).mean(dim=2)


class TinyEncoder(nn.Module):
    """Four RGB frames -> one latent frame."""

    def __init__(self, config: TinyVAEConfig) -> None:
        super().__init__()
        widths = config.encoder_channels
        self.unshuffle = nn.PixelUnshuffle(2)
        self.conv_in = nn.Conv2d(3 * FRAMES_PER_LATENT * 4, widths[0], 3, padding=1)
        layers: list[nn.Module] = [ResidualBlock(widths[0])]
        for before, after in pairwise(widths):
            layers += [Downsample(before, after), ResidualBlock(after), ResidualBlock(after)]
        self.layers = nn.Sequential(*layers)
        self.conv_out = nn.Conv2d(widths[-1], config.latent_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 12, H, W] in -1..1 -> [N, C, H/16, W/16], not normalised."""
        x = self.layers(self.conv_in(self.unshuffle(x)))
        z = self.conv_out(F.silu(x))
        return z + x.unflatten(1, (z.shape[1], -1)).mean(dim=2)


class TinyVAE(nn.Module):
    """Video autoencoder of the tiny profile; latents in and out are normalised."""

    def __init__(self, config: TinyVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = TinyEncoder(config)
        kind = ReferenceDecoder if config.reference_channels else TinyDecoder
        self.decoder: TinyDecoder = kind(config)
        channels = config.latent_channels
        mean = config.latents_mean or (0.0,) * channels
        std = config.latents_std or (1.0,) * channels
        self.register_buffer("latents_mean", torch.tensor(mean), persistent=False)
        self.register_buffer("latents_std", torch.tensor(std), persistent=False)

    def encode(self, frames: Tensor) -> Tensor:
        """Frames [B, F*4, 3, H, W] in -1..1 -> normalised latents [B, F, C, H/16, W/16].

        Raises:
            ValueError: the frame count is no multiple of 4 or a side no multiple of the stride.
        """
        batch, count, _, height, width = frames.shape
        stride = self.config.spatial_stride
        if count % FRAMES_PER_LATENT or height % stride or width % stride:
            raise ValueError(
                f"frames {tuple(frames.shape)}: need a multiple of {FRAMES_PER_LATENT} frames and "
                f"sides that are multiples of {stride}"
            )
        z = self.encoder(frames.reshape(-1, 3 * FRAMES_PER_LATENT, height, width))
        z = (z - self._per_channel("latents_mean", z)) / self._per_channel("latents_std", z)
        return z.unflatten(0, (batch, count // FRAMES_PER_LATENT))

    @property
    def looks_at_reference(self) -> bool:
        """Whether frames are made of the reference picture, too."""
        return isinstance(self.decoder, ReferenceDecoder)

    def decode(
        self, z: Tensor, state: DecoderState | None = None, *, pictures: Tensor | None = None
    ) -> tuple[Tensor, DecoderState]:
        """Normalised latents [B, F, C, h, w] -> frames [B, F*4, 3, 16h, 16w], and the new state.

        pictures: the reference pictures [B, 3, 16h, 16w] in -1..1, for a decoder that looks at
        them.
        """
        if not isinstance(self.decoder, ReferenceDecoder):
            frames, state = self.decoder(self._denormalised(z), state)
            return frames, state
        if pictures is None:
            raise ValueError("this decoder needs the reference pictures")
        painting, state = self.paint(z, self.look_at(pictures), state)
        return put_together(painting, pictures), state

    def look_at(self, pictures: Tensor) -> Appearance:
        """Reference pictures [B, 3, 16h, 16w] in -1..1 -> what the decoder knows of them.

        Raises:
            TypeError: the decoder makes frames of latents alone.
        """
        if not isinstance(self.decoder, ReferenceDecoder):
            raise TypeError("this decoder does not look at a reference picture")
        return self.decoder.look_at(pictures)

    def paint(
        self, z: Tensor, appearance: Appearance, state: DecoderState | None = None
    ) -> tuple[Painting, DecoderState]:
        """Normalised latents [B, F, C, h, w] -> frames before they are put together with the
        reference picture, and the new state. Raises TypeError as `look_at`.
        """
        if not isinstance(self.decoder, ReferenceDecoder):
            raise TypeError("this decoder does not look at a reference picture")
        return self.decoder.paint(self._denormalised(z), appearance, state)

    def _denormalised(self, z: Tensor) -> Tensor:
        return z * self._per_channel("latents_std", z) + self._per_channel("latents_mean", z)

    def _per_channel(self, name: str, like: Tensor) -> Tensor:
        return getattr(self, name).to(like.dtype).view(-1, 1, 1)


def channels_last(vae: TinyVAE) -> TinyVAE:
    """Lay the weights out as the CPU's and the GPU's fast convolutions want them, in place."""
    for parameter in vae.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return vae


def load_vae(folder: Path) -> TinyVAE:
    """Read a folder with `config.json` and `diffusion_pytorch_model.safetensors` (any float dtype).

    Raises:
        CheckpointError: a file is missing or broken, or a tensor is missing, extra or misshapen.
    """
    try:
        config = TinyVAEConfig.from_json(folder / "config.json")
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{folder / 'config.json'}: is no TinyVAE config: {error}") from error
    vae = TinyVAE(config)
    load_tensors(vae, [folder / "diffusion_pytorch_model.safetensors"], dtype=torch.float32)
    return vae.eval()
