"""A small decoder of Wan 2.1's latents that reads TAEHV's file (`taew2_1.pth`), for endless
decoding.

2D convolutions, and blocks that also see their own input of the frame before: what these remember
is handed from call to call. It takes the latents as the transformer makes them, normalised, where
the full decoder takes them back to the scale that it was trained at. Its encoder is not used.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avatar_nodes.model.load_tensors import Spelling, check_tensors, load_tensors
from avatar_nodes.model.tensor_files import CheckpointError, tensor_shapes

LATENT_CHANNELS = 16
PUBLISHED_WIDTHS = (256, 128, 64, 64)
LightState = list[Tensor]
"""What each memory block keeps: its input of the last frame, [B, C, h', w']."""

_FRAMES_OF_FRAME = (1, 2, 2)
"""By level: how many frames are made of one."""
_BLOCKS_OF_LEVEL = 3
_FRAMES_PER_LATENT = 4
_FIRST = "decoder.1.weight"
_LIMIT = 3.0


class MemoryBlock(nn.Module):
    """Three 3x3 convolutions of a frame and the one before it, around a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv3 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, before: Tensor | None, batch: int) -> tuple[Tensor, Tensor]:
        """x [frames * B, C, H, W] after `before` [B, C, H, W] (None: nothing) -> the output, and
        what is to be kept of it.
        """
        if before is None:
            before = torch.zeros_like(x[:batch])
        past = before if len(x) == batch else torch.cat([before, x[:-batch]])
        hidden = F.relu(self.conv1(torch.cat([x, past], dim=1)))
        hidden = self.conv3(F.relu(self.conv2(hidden)))
        return F.relu(hidden + x), x[-batch:]


class Level(nn.Module):
    """Memory blocks, then `times` frames of each frame at twice the size."""

    def __init__(self, channels: int, after: int, times: int) -> None:
        super().__init__()
        self.times = times
        self.memory = nn.ModuleList(MemoryBlock(channels) for _ in range(_BLOCKS_OF_LEVEL))
        self.grow = nn.Conv2d(channels, times * channels, 1, bias=False)
        self.conv = nn.Conv2d(channels, after, 3, padding=1, bias=False)

    def enlarged(self, x: Tensor, batch: int) -> Tensor:
        """[frames * B, C, H, W] -> [frames * times * B, after, 2H, 2W]."""
        x = self.grow(x)  # before the pixels are copied, which costs a quarter of after
        if self.times > 1:
            frames = x.split(batch)
            x = torch.cat([part for frame in frames for part in frame.chunk(self.times, dim=1)])
        return cast(Tensor, self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest")))


class LightDecoder(nn.Module):
    """Normalised latents [B, F, 16, h, w] -> frames [B, n, 3, 8h, 8w] in -1..1."""

    def __init__(self, widths: tuple[int, int, int, int]) -> None:
        """widths: channels at 8, 4, 2 pixels a cell, and at the frames' own size."""
        super().__init__()
        self.conv_in = nn.Conv2d(LATENT_CHANNELS, widths[0], 3, padding=1)
        self.levels = nn.ModuleList(
            Level(before, after, times)
            for (before, after), times in zip(pairwise(widths), _FRAMES_OF_FRAME, strict=True)
        )
        self.conv_out = nn.Conv2d(widths[-1], 3, 3, padding=1)

    @property
    def latent_channels(self) -> int:
        return LATENT_CHANNELS

    def decode(self, z: Tensor, state: LightState | None = None) -> tuple[Tensor, LightState]:
        """Frames [B, 4F, 3, 8h, 8w] of the latents [B, F, C, h, w] that come after `state`, and the
        new state. None begins a stream: its first latent is one frame, so there are 4F - 3.
        """
        frames = []
        for latent in z.unbind(dim=1):  # one by one: the same bits wherever a stream is cut
            made, kept = self(latent, state)
            frames.append(made if state is not None else made[:, _FRAMES_PER_LATENT - 1 :])
            state = kept
        assert state is not None
        return torch.cat(frames, dim=1), state

    def forward(self, z: Tensor, state: LightState | None) -> tuple[Tensor, LightState]:
        """One latent [B, C, h, w] -> four frames [B, 4, 3, 8h, 8w], float32, and the new state."""
        batch = z.shape[0]
        weight = self.conv_in.weight
        z = torch.tanh(z.to(weight.device, weight.dtype) / _LIMIT) * _LIMIT
        x = F.relu(self.conv_in(z.contiguous(memory_format=torch.channels_last)))
        kept: LightState = []
        for level in cast("list[Level]", list(self.levels)):
            for block in level.memory:
                x, last = block(x, None if state is None else state[len(kept)], batch)
                kept.append(last)
            x = level.enlarged(x, batch)
        pixels = self.conv_out(F.relu(x)).float().clamp(0, 1)
        pixels = pixels.mul(2).sub(1).unflatten(0, (_FRAMES_PER_LATENT, batch))
        return pixels.transpose(0, 1), kept


def load_light_decoder(
    path: Path, *, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> LightDecoder:
    """Reads the decoder of `taew2_1.pth` (or `.safetensors`), each tensor straight onto `device`.

    Raises:
        CheckpointError: the file is missing or broken, or a tensor missing, extra or misshapen.
    """
    decoder = _without_weights(path)
    load_tensors(decoder, [path], dtype=dtype, device=device, spelling=_SPELLING)
    decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return decoder.eval().requires_grad_(False)


def check_light_decoder(path: Path) -> LightDecoder:
    """The decoder on the meta device, if the file holds its tensors. Raises CheckpointError."""
    decoder = _without_weights(path)
    check_tensors(decoder, [path], spelling=_SPELLING)
    return decoder


def _without_weights(path: Path) -> LightDecoder:
    """Its widths are those of the file's tensors."""
    shapes = tensor_shapes(path)
    found = [shapes.get(name, ()) for name in (_FIRST, *map(_growth, range(3)))]
    if any(len(shape) != 4 for shape in found):
        raise CheckpointError(f"{path}: is no decoder of TAEHV's kind: has no {_FIRST} or no level")
    first, second, third, last = (shape[0] for shape in found)
    with torch.device("meta"):
        return LightDecoder((first, second, third, last))


def _growth(level: int) -> str:
    return f"decoder.{_place(level) + 5}.weight"


def _place(level: int) -> int:
    """Where a level begins in the published sequence of layers, which counts those without weights:
    three memory blocks, enlargement, growth, convolution.
    """
    return 3 + 6 * level


def _published(name: str) -> str:
    """TAEHV's name of a tensor."""
    match name.split("."):
        case ["conv_in", leaf]:
            return f"decoder.1.{leaf}"
        case ["conv_out", leaf]:
            return f"decoder.22.{leaf}"
        case ["levels", level, "memory", block, convolution, leaf]:
            which = 2 * (int(convolution.removeprefix("conv")) - 1)
            return f"decoder.{_place(int(level)) + int(block)}.conv.{which}.{leaf}"
        case ["levels", level, "grow", leaf]:
            return f"decoder.{_place(int(level)) + 4}.conv.{leaf}"
        case ["levels", level, "conv", leaf]:
            return f"decoder.{_place(int(level)) + 5}.{leaf}"
    raise KeyError(name)


_SPELLING = Spelling(published=_published, unused=re.compile(r"encoder\..+"))
