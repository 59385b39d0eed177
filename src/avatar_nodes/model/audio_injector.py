"""Audio injection: after chosen layers, the noisy tokens of a latent frame attend to its audio
tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_nodes.model.attention import CrossAttention
from avatar_nodes.model.audio_encoder import AudioTokens

_ADAIN_EPS = 1e-5


class AdaptiveNorm(nn.Module):
    """Layer norm scaled and shifted by the frame's global audio vector."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, 2 * dim)

    def forward(self, x: Tensor, whole: Tensor) -> Tensor:
        """x [frames, tokens, dim], whole [frames, 1, dim]."""
        with torch.autocast(x.device.type, enabled=False):
            shift, scale = self.linear(F.silu(whole.float())).chunk(2, dim=-1)
            return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=_ADAIN_EPS), 1 + scale)


class LayerInjection(NamedTuple):
    """What one layer needs to take in the audio."""

    attention: CrossAttention
    normalise: AdaptiveNorm

    def __call__(self, x: Tensor, audio: AudioTokens) -> Tensor:
        """Adds the audio to the noisy tokens x [B, F * tokens a frame, dim], frame by frame."""
        local, whole = audio.local.flatten(0, 1), audio.whole.flatten(0, 1)
        frames = x.reshape(local.shape[0], -1, x.shape[-1])
        heard = self.attention.keys_values(local)
        return x + self.attention(self.normalise(frames, whole), heard).reshape(x.shape)


class AudioInjector(nn.Module):
    """One cross-attention and one adaptive norm for each layer of `layers`."""

    def __init__(self, layers: Sequence[int], dim: int, num_heads: int, eps: float) -> None:
        super().__init__()
        self.index = {layer: index for index, layer in enumerate(layers)}
        self.injector = nn.ModuleList(CrossAttention(dim, num_heads, eps) for _ in layers)
        self.injector_adain_layers = nn.ModuleList(AdaptiveNorm(dim) for _ in layers)

    def at(self, layer: int) -> LayerInjection | None:
        """The injection after layer `layer`, if there is one."""
        index = self.index.get(layer)
        if index is None:
            return None
        attention = cast(CrossAttention, self.injector[index])
        return LayerInjection(attention, cast(AdaptiveNorm, self.injector_adain_layers[index]))
