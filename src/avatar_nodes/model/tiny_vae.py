"""The tiny profile's video autoencoder: per-latent encoder, decoder with temporal memory.

The encoder folds four frames into channels and is stateless, so that a latent never depends on
where in the stream it was cut. The decoder follows the idea of TAEHV: 2D convolutions, and blocks
that also see their own input of the latent before, which is all the state a stream has to carry.
Straight paths fold pixels into channels and back beside every change of size (as DC-AE does), which
is what lets so strong a compression train quickly.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avatar_nodes.model.load_tensors import load_tensors
from avatar_nodes.model.tensor_files import CheckpointError

FRAMES_PER_LATENT = 4

DecoderState = list[list[Tensor]]
"""What a decoder keeps from latent to latent: by memory block and stream, [1, C, h', w'] each."""


@dataclass(frozen=True)
class TinyVAEConfig:
    """Sizes of a `TinyVAE`.

    Channels are listed from the image side to the latent side for the encoder (strides 2, 4, 8, 16)
    and from the latent side to the image side for the decoder (strides 16, 8, 4, 2).
    `latents_mean` and `latents_std` (one value a channel) normalise the latents to about N(0, 1).
    """

    latent_channels: int = 32
    encoder_channels: tuple[int, ...] = (48, 96, 128, 256)
    decoder_channels: tuple[int, ...] = (256, 128, 64, 48)
    latents_mean: tuple[float, ...] = field(default=())
    latents_std: tuple[float, ...] = field(default=())

    @property
    def spatial_stride(self) -> int:
        """Pixels per latent cell, along either side."""
        return int(2 ** len(self.encoder_channels))

    @classmethod
    def from_json(cls, path: Path) -> TinyVAEConfig:
        """Read `config.json`; unknown keys are refused.

        Raises:
            ValueError: a key is unknown.
        """
        raw: dict[str, Any] = json.loads(path.read_text())
        raw.pop("_class_name", None)
        unknown = set(raw) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"{path}: unknown keys {sorted(unknown)}")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
        return cls(**values)

    def to_json(self, path: Path) -> None:
        """Write `config.json`."""
        path.write_text(json.dumps({"_class_name": "TinyVAE", **asdict(self)}, indent=1) + "\n")


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a skip connection, shape kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = _silent_at_first(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))


class MemoryBlock(nn.Module):
    """A residual block that also sees its own input at the latent before (TAEHV's idea).

    `conv1` is that of both inputs, the present one first. A latent is convolved once for its own
    time and for the next, and the second result is what the block keeps: nothing is put together
    in memory, which took as long as the convolution.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.conv1 = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.conv2 = _silent_at_first(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, x: Tensor, before: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The block's output for `x` [B * F, C, H, W], the F latents of each of B streams in turn.

        before: what the block has kept of each stream's latent before, [1, C, H, W]. Returned with
        the output is what it keeps of each stream's last one.
        """
        assert self.conv1.bias is not None
        now_and_next = torch.cat(self.conv1.weight.split(self.channels, dim=1))
        bias = torch.cat([self.conv1.bias, torch.zeros_like(self.conv1.bias)])
        both = F.conv2d(F.silu(x), now_and_next, bias, padding=1)
        now, kept = both.split(self.channels, dim=1)
        streams = kept.chunk(len(before))
        if len(before) == len(x):
            past = torch.cat(list(before)) if len(before) > 1 else before[0]
        else:
            past = torch.cat([p for b, s in zip(before, streams, strict=True) for p in (b, s[:-1])])
        return x + self.conv2(F.silu(now + past)), [stream[-1:] for stream in streams]


class Downsample(nn.Module):
    """Half the size: a strided convolution beside the pixels folded into channels."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        folded = F.pixel_unshuffle(x, 2)
        return y + folded.unflatten(1, (y.shape[1], -1)).mean(dim=2)


class Upsample(nn.Module):
    """Twice the size: a convolution of the enlarged input beside its unfolded channels.

    `copies` is a 1x1 convolution that copies each channel to where its pixels are unfolded; unlike
    repeat_interleave it keeps the channels-last layout, and nothing after it has to be copied.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, padding=1)
        unfolded = torch.arange(after) // (4 * after // before)
        source = (4 * unfolded[:, None] + torch.arange(4)).flatten()
        copies = F.one_hot(source, before).float()[:, :, None, None]
        self.copies: Tensor
        self.register_buffer("copies", copies, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(F.interpolate(F.silu(x), scale_factor=2.0, mode="nearest"))
        return y + F.pixel_shuffle(F.conv2d(x, self.copies.to(x.dtype)), 2)


def _silent_at_first(conv: nn.Conv2d) -> nn.Conv2d:
    """Start a residual branch at zero, so that the straight path trains first."""
    nn.init.zeros_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


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


class TinyDecoder(nn.Module):
    """Latent frames -> four RGB frames each, with temporal memory."""

    def __init__(self, config: TinyVAEConfig) -> None:
        super().__init__()
        widths = config.decoder_channels
        self.conv_in = nn.Conv2d(config.latent_channels, widths[0], 3, padding=1)
        self.up = nn.ModuleList(Upsample(a, b) for a, b in pairwise(widths))
        self.memory = nn.ModuleList(
            nn.ModuleList(MemoryBlock(width) for _ in range(1 if level == 3 else 2))
            for level, width in enumerate(widths)
        )
        self.conv_out = nn.Conv2d(widths[-1], 3 * FRAMES_PER_LATENT * 4, 3, padding=1)

    def forward(self, z: Tensor, state: DecoderState | None = None) -> tuple[Tensor, DecoderState]:
        """Decode `z` [B, F, C, h, w] (F latents in order) given the state after the latents before.

        Returns frames [B, F*4, 3, 16h, 16w] in about -1..1 and the new state. None starts a stream:
        before its first latent all is zero.
        """
        batch, length = z.shape[:2]
        z = z.flatten(0, 1)
        x = self.conv_in(z)
        x = x + z.repeat_interleave(x.shape[1] // z.shape[1], dim=1)
        kept: DecoderState = []
        for level, blocks in enumerate(self.memory):
            for block in blocks:  # type: ignore[attr-defined]
                before = [torch.zeros_like(x[:1])] * batch if state is None else state[len(kept)]
                x, last = block(x, before)
                kept.append(last)
            if level < len(self.up):
                x = self.up[level](x)
        x = F.pixel_shuffle(x + self.conv_out(F.silu(x)), 2)
        height, width = x.shape[-2:]
        return x.reshape(batch, length * FRAMES_PER_LATENT, 3, height, width), kept


class TinyVAE(nn.Module):
    """Video autoencoder of the tiny profile; latents in and out are normalised."""

    def __init__(self, config: TinyVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = TinyEncoder(config)
        self.decoder = TinyDecoder(config)
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

    def decode(self, z: Tensor, state: DecoderState | None = None) -> tuple[Tensor, DecoderState]:
        """Normalised latents [B, F, C, h, w] -> frames [B, F*4, 3, 16h, 16w], and the new state."""
        z = z * self._per_channel("latents_std", z) + self._per_channel("latents_mean", z)
        return self.decoder(z, state)

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
