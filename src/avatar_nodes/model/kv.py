"""Keys and values that outlive one forward pass. Un-rotated, but for those of memory:
positions are given at attention time.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from avatar_nodes.model.attention import LayerKV


@dataclass(frozen=True)
class TextKV:
    """A prompt's keys and values in the text cross-attention of every layer, [B, text_len, heads,
    d].
    """

    layers: tuple[LayerKV, ...]

    def select(self, index: Tensor) -> TextKV:
        """The prompts of a batch: row index[i] for batch element i."""
        return TextKV(tuple(LayerKV(kv.k[index], kv.v[index]) for kv in self.layers))


@dataclass(frozen=True)
class BlockKV:
    """A block's self-attention keys and values in every layer, [B, tokens, heads, d]."""

    layers: tuple[LayerKV, ...]


@dataclass(frozen=True)
class MemoryKV:
    """Self-attention keys and values of visual memory in every layer, [B, tokens, heads, d], the
    keys rotated to where the window has them: that place does not change from block to block.
    """

    layers: tuple[LayerKV, ...]


@dataclass(frozen=True)
class SinkKV:
    """The sink frame's self-attention keys and values in every layer, [B, tokens, heads, d], and
    its latent, [B, C, 1, H, W]. has_motion: those of its motion context are behind them.
    """

    layers: tuple[LayerKV, ...]
    latent: Tensor
    has_motion: bool = False
