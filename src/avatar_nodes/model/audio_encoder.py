"""Causal audio encoder: turns four feature columns (one per video frame) into one latent frame's
audio tokens.

Latent frame j depends on columns 4j-5 .. 4j+3 and on nothing else, so a block of a stream that
brings `CONTEXT_COLUMNS` columns of the past is encoded exactly as it would be inside the whole
sequence.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

COLUMNS_PER_LATENT = 4
"""What the two convolutions of stride 2 make one of."""
_EPS = 1e-6


class AudioTokens(NamedTuple):
    """Audio of F latent frames: local [B, F, num_audio_token + 1, dim], whole [B, F, 1, dim]."""

    local: Tensor
    whole: Tensor


class _CausalConv(nn.Module):
    """Convolution of width 3 over time, then layer norm over channels and SiLU. [B, C, T] -> [B,
    C', T'].
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels_in, channels_out, 3, stride=stride)

    def forward(self, x: Tensor, pad: bool, groups: int = 1) -> Tensor:
        """`groups` consecutive runs of output channels are normalised apart: [B * groups, C' /
        groups, T'].
        """
        x = self.conv(F.pad(x, (2, 0), mode="replicate") if pad else x)
        x = x.reshape(-1, x.shape[1] // groups, x.shape[2]).transpose(1, 2)
        return F.silu(F.layer_norm(x, x.shape[-1:], eps=_EPS)).transpose(1, 2)


class _MotionEncoder(nn.Module):
    """The convolutions: `num_tokens` local streams and one global stream share the last two."""

    def __init__(self, audio_dim: int, dim: int, num_tokens: int) -> None:
        super().__init__()
        self.num_tokens = num_tokens
        self.conv1_local = _CausalConv(audio_dim, num_tokens * (dim // 4))
        self.conv1_global = _CausalConv(audio_dim, dim // 4)
        self.conv2 = _CausalConv(dim // 4, dim // 2, stride=2)
        self.conv3 = _CausalConv(dim // 2, dim, stride=2)
        self.final_linear = nn.Linear(dim, dim)
        self.padding_tokens = nn.Parameter(torch.zeros(1, 1, 1, dim))

    def forward(self, x: Tensor, pad: bool) -> AudioTokens:
        batch, n = x.shape[0], self.num_tokens
        local = self.conv1_local(x, pad, groups=n)
        streams = torch.cat([local, self.conv1_global(x, pad)])
        streams = self.conv3(self.conv2(streams, pad), pad).transpose(1, 2)
        local = streams[: batch * n].unflatten(0, (batch, n)).transpose(1, 2)
        padding = self.padding_tokens.expand(batch, local.shape[1], 1, -1)
        whole = self.final_linear(streams[batch * n :])[:, :, None]
        return AudioTokens(torch.cat([local, padding], dim=2), whole)


class CausalAudioEncoder(nn.Module):
    """`casual_audio_encoder` of Wan2.2-S2V: mixes the layers of an audio model, then convolves in
    time.
    """

    def __init__(self, audio_dim: int, dim: int, num_layers: int, num_tokens: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.full((1, num_layers, 1, 1), 0.01))
        self.encoder = _MotionEncoder(audio_dim, dim, num_tokens)

    def forward(self, features: Tensor, pad: bool = True) -> AudioTokens:
        """features [B, layers, D, T] -> ceil(T / 4) latent frames.

        Without `pad` the first 8 columns are context only: 5 + 4F columns give exactly F latent
        frames. Computed in float32, as the official pipeline does.
        """
        with torch.autocast(features.device.type, enabled=False):
            return self.encoder(self._mix(features.float()), pad)

    def _mix(self, features: Tensor) -> Tensor:
        if (
            features.shape[1] == 1
        ):  # the weighted mean of one layer is that layer, whatever its weight
            return features[:, 0]
        weights = F.silu(self.weights)
        return (features * (weights / weights.sum(dim=1, keepdim=True))).sum(dim=1)
