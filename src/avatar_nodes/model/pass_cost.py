"""Counts what the transformer's pass over a block costs, from the shapes of the model."""

from __future__ import annotations

from dataclasses import dataclass

from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.frame_packer import motion_tokens

_BF16, _E4M3 = 2, 1  # bytes
_VAE_FLOP, _LIGHT_FLOP = 27.5e12, 1.07e12
_COUNTED_PIXELS = 12 * 704 * 384
"""The decoders' operations for so many pixels of video, counted by torch; they are convolutions, so
other sizes take in proportion."""


@dataclass(frozen=True)
class PassCost:
    """One pass over a block whose window is full, without visual memory.

    matrices: operations of products with weights; attention: those of queries with keys and values.
    read: bytes of weights, keys and values that have to be read. layer: bytes of a layer's weights,
    as `model.offload_layers` brings them.
    """

    matrices: float
    attention: float
    read: float
    layer: float


def pass_cost(config: DiTConfig, *, float8: bool = False, has_motion: bool = False) -> PassCost:
    """float8: the heavy matrices in e4m3, else in bfloat16. has_motion: the sink has motion
    context."""
    c, d = config, config.dim
    latents, layers, injected = (
        c.timing.latents_per_block, c.num_layers, len(c.audio_inject_layers),
    )  # fmt: skip
    rows, columns = c.patch_grid
    _, down, across = c.patch_size
    frame = rows * columns
    block, window = latents * frame, frame * (1 + latents * (c.past_blocks + 1))
    window += motion_tokens(rows, columns) if has_motion else 0
    sounds = c.num_audio_token + 1  # tokens that a latent frame's noisy ones attend to

    # multiply-adds: q, k, v, o and the text's q and o; its k and v are made once a prompt
    in_layer = block * (6 * d * d + 2 * d * c.ffn_dim)
    in_injection = 2 * d * d * (block + latents * sounds + latents)  # q, o; k, v; adaptive norm
    around = block * d * down * across * (c.in_dim + c.out_dim) + d * (c.freq_dim + 7 * d)
    attended = layers * (window + c.text_len) + injected * sounds

    size = _E4M3 if float8 else _BF16
    used = 6 * d * d + 2 * d * c.ffn_dim  # of a layer's weights, all but the text's k and v
    heavy = (layers * used + injected * 4 * d * d) * size
    seen = 2 * layers * (window - block + c.text_len) * d * _BF16
    return PassCost(
        matrices=2.0 * (layers * in_layer + injected * in_injection + around),
        attention=4.0 * block * attended * d,
        read=float(heavy + seen),
        layer=float((used + 2 * d * d) * size),
    )


def decode_flop(width: int, height: int, frames: int, *, light: bool) -> float:
    """Operations of decoding so many frames, by the video autoencoder or by the light decoder."""
    return (_LIGHT_FLOP if light else _VAE_FLOP) * width * height * frames / _COUNTED_PIXELS
