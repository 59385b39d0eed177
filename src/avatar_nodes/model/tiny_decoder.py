"""The tiny autoencoder's decoder: latents to frames, with temporal memory.

It follows the idea of TAEHV: 2D convolutions, and blocks that also see their own input of the
latent before, which is all the state a stream has to carry. Straight paths unfold channels into
pixels beside every change of size (as DC-AE does), which is what lets so strong a compression train
quickly.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avatar_nodes.model.tiny_vae_config import TinyVAEConfig

FRAMES_PER_LATENT = 4

DecoderState = list[list[Tensor]]
"""What a decoder keeps from latent to latent: by memory block and stream, [1, C, h', w'] each."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a skip connection, shape kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = silent_at_first(nn.Conv2d(channels, channels, 3, padding=1))

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
        self.conv2 = silent_at_first(nn.Conv2d(channels, channels, 3, padding=1))

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


def silent_at_first(conv: nn.Conv2d) -> nn.Conv2d:
    """Start a residual branch at zero, so that the straight path trains first."""
    nn.init.zeros_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


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
        x, kept = self.first(z), list[list[Tensor]]()
        for level in range(len(self.memory)):
            x = self.remember(level, x, len(z), state, kept)
            if level < len(self.up):
                x = self.up[level](x)
        return self.last(x, len(z)), kept

    def first(self, z: Tensor) -> Tensor:
        """Latents [B, F, C, h, w] -> [B * F, channels, h, w]."""
        z = z.flatten(0, 1)
        x: Tensor = self.conv_in(z)
        return x + z.repeat_interleave(x.shape[1] // z.shape[1], dim=1)

    def remember(
        self, level: int, x: Tensor, batch: int, state: DecoderState | None, kept: DecoderState
    ) -> Tensor:
        """The memory blocks of a level; what they keep is added to `kept`."""
        for block in self.memory[level]:  # type: ignore[attr-defined]
            before = [torch.zeros_like(x[:1])] * batch if state is None else state[len(kept)]
            x, last = block(x, before)
            kept.append(last)
        return x

    def last(self, x: Tensor, batch: int) -> Tensor:
        """[B * F, channels, H/2, W/2] -> frames [B, F * 4, 3, H, W]."""
        x = F.pixel_shuffle(x + self.conv_out(F.silu(x)), 2)
        return x.reshape(batch, -1, 3, *x.shape[-2:])
