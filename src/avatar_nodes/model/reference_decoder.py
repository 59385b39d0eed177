"""The tiny autoencoder's decoder that may look at the reference picture.

From the latents it draws every frame, as `TinyDecoder` does. A branch beside that compares what is
drawn with the picture and says, for every pixel of a frame, from where in the picture it comes (the
flow) and how far that can be trusted (the mask). What is still, and what only moves, is taken from
the picture itself, sharp at whatever size the picture has; what was never seen (an open mouth, a
hand) is drawn. The idea is that of first-order motion models (Siarohin et al. 2019), with latents
in the place of key points.

What is drawn does not see the picture: features of it that were added to the decoder's own coloured
a raised hand like the clothes behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avatar_nodes.model.tiny_decoder import (
    FRAMES_PER_LATENT,
    DecoderState,
    ResidualBlock,
    TinyDecoder,
    silent_at_first,
)
from avatar_nodes.model.tiny_vae_config import TinyVAEConfig

_REACH = 0.05
"""Flow of 1 in the network, as a share of the picture's side."""
_FLOW_LEVEL, _PIXEL_LEVEL = 2, 3
"""Levels of the decoder (strides 4 and 2) at which flow and mask are said."""


@dataclass(frozen=True)
class Appearance:
    """What the decoder knows of B reference pictures.

    features: by level, strides 16, 8, 4, 2: [B, C, h, w]; half: the pictures at half their size,
    [B, 3, H/2, W/2] in -1..1.
    """

    features: tuple[Tensor, ...]
    half: Tensor


@dataclass(frozen=True)
class Painting:
    """Frames before they are put together, all float32; n = 4F frames of each of B streams.

    drawn: [B, n, 3, H, W] in about -1..1. flow: [B, n, 2, H/4, W/4], how far to the right and below
    in the picture a pixel comes from, as a share of its width and height. mask: [B, n, 1, H, W] in
    0..1, the share of a pixel that is taken from the warped picture.
    """

    drawn: Tensor
    flow: Tensor
    mask: Tensor


class ReferenceDecoder(TinyDecoder):
    """Latent frames and an appearance -> four paintings each, with temporal memory."""

    def __init__(self, config: TinyVAEConfig) -> None:
        super().__init__(config)
        seen, widths = config.reference_channels, config.decoder_channels
        if len(seen) != len(widths):
            raise ValueError(f"reference_channels {seen}: expected {len(widths)} of them")
        self.look_first = nn.Conv2d(12, seen[0], 3, padding=1)
        self.look = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(seen)
        )
        branch = seen[::-1]
        self.seen_in = nn.ModuleList(nn.Conv2d(width, width, 1) for width in branch)
        self.drawn_in = nn.ModuleList(
            nn.Conv2d(there, here, 1) for there, here in zip(widths, branch, strict=True)
        )
        self.coarser_in = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairwise(branch))
        self.compare = nn.ModuleList(ResidualBlock(width) for width in branch[:_PIXEL_LEVEL])
        flow_width, width = branch[_FLOW_LEVEL], branch[_PIXEL_LEVEL]
        self.flow_out = silent_at_first(nn.Conv2d(flow_width, 2 * FRAMES_PER_LATENT, 3, padding=1))
        self.pixels_in = nn.Conv2d(2 * 3 * FRAMES_PER_LATENT, width, 3, padding=1)
        self.mask_out = silent_at_first(nn.Conv2d(width, 4 * FRAMES_PER_LATENT, 3, padding=1))

    def look_at(self, pictures: Tensor) -> Appearance:
        """Pictures [B, 3, H, W] in -1..1, as large as frames are drawn -> what is known of them."""
        x = self.look_first(F.pixel_unshuffle(pictures, 2))
        seen = [x]
        for layer in self.look:
            seen.append(layer(F.silu(seen[-1])))
        features = tuple(
            into(F.silu(one)) for into, one in zip(self.seen_in, reversed(seen), strict=True)
        )
        return Appearance(features, F.avg_pool2d(pictures, 2))

    def paint(
        self, z: Tensor, appearance: Appearance, state: DecoderState | None = None
    ) -> tuple[Painting, DecoderState]:
        """`z` [B, F, C, h, w] (F latents in order) after `state` -> paintings, and the new state;
        None begins a stream.
        """
        batch, length = z.shape[:2]
        x, kept, levels = self.first(z), list[list[Tensor]](), list[Tensor]()
        for level in range(len(self.memory)):
            x = self.remember(level, x, batch, state, kept)
            levels.append(x)
            if level < len(self.up):
                x = self.up[level](x)
        drawn = self.last(x, batch)
        flow, mask = self._compared(levels, drawn, appearance)
        frames = (batch, length * FRAMES_PER_LATENT)
        painting = Painting(
            drawn=drawn.float(),
            flow=flow.reshape(*frames, 2, *flow.shape[-2:]),
            mask=mask.reshape(*frames, 1, *mask.shape[-2:]),
        )
        return painting, kept

    def _compared(
        self, levels: list[Tensor], drawn: Tensor, appearance: Appearance
    ) -> tuple[Tensor, Tensor]:
        """The flow [B * F, 4, 2, H/4, W/4] and the mask [B * F, 4, H, W] of what is `drawn`
        [B, 4F, 3, H, W] out of `levels`, the decoder's features [B * F, C, h, w] by stride.
        """
        latents, branch, flow = len(levels[0]), levels[0], levels[0]  # said before they are used
        for level, x in enumerate(levels):
            seen = appearance.features[level].to(x.dtype)
            merged = self.drawn_in[level](F.silu(x)) + seen.repeat_interleave(
                latents // len(seen), dim=0
            )
            if level:
                coarser = self.coarser_in[level - 1](F.silu(branch))
                merged = merged + F.interpolate(coarser, scale_factor=2.0, mode="nearest")
            if level == _PIXEL_LEVEL:
                warped = self._warped_halves(appearance, flow).to(x.dtype)
                here = F.avg_pool2d(drawn.reshape(latents, -1, *drawn.shape[-2:]), 2)
                branch = merged + self.pixels_in(torch.cat([warped, warped - here], dim=1))
            else:
                branch = self.compare[level](merged)
            if level == _FLOW_LEVEL:
                said = self.flow_out(F.silu(branch)).float()
                flow = said.mul(_REACH).unflatten(1, (-1, 2))
        mask = F.pixel_shuffle(self.mask_out(F.silu(branch)), 2).float().sigmoid()
        return flow, mask

    @staticmethod
    def _warped_halves(appearance: Appearance, flow: Tensor) -> Tensor:
        """The half-size pictures, warped by `flow` [B * F, 4, 2, h, w] -> [B * F, 12, H/2, W/2]."""
        latents, frames = flow.shape[:2]
        pictures = appearance.half.float()
        pictures = pictures.repeat_interleave(latents * frames // len(pictures), dim=0)
        return warp(pictures, flow.flatten(0, 1)).unflatten(0, (latents, frames)).flatten(1, 2)


def warp(pictures: Tensor, flow: Tensor) -> Tensor:
    """`pictures` [N, 3, H, W], each pixel taken from where `flow` [N, 2, h, w] says (`Painting`);
    beyond the edge the edge goes on.
    """
    height, width = pictures.shape[-2:]
    flow = F.interpolate(flow, size=(height, width), mode="bilinear", align_corners=False)
    rows = (torch.arange(height, device=flow.device) + 0.5) / height
    columns = (torch.arange(width, device=flow.device) + 0.5) / width
    place = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))
    grid = (place + flow).mul(2.0).sub(1.0).permute(0, 2, 3, 1)
    return F.grid_sample(
        pictures, grid, mode="bilinear", padding_mode="border", align_corners=False
    )


def put_together(painting: Painting, pictures: Tensor) -> Tensor:
    """Frames [B, n, 3, H, W] of the paintings and their reference `pictures` [B, 3, H, W]."""
    batch, count = painting.drawn.shape[:2]
    flow = painting.flow.flatten(0, 1)
    warped = warp(pictures.float().repeat_interleave(count, dim=0), flow)
    return torch.lerp(painting.drawn, warped.unflatten(0, (batch, count)), painting.mask)
