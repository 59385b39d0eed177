"""Streaming video decoding of Wan's latents: with its own autoencoder, or with a light decoder."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.decoding.decoder import frame_of, pixels_of
from avatar_nodes.model.frame_packer import LATENTS as MOTION_LATENTS
from avatar_nodes.model.host_copies import HostCopies
from avatar_nodes.model.own_stream import OwnStream
from avatar_nodes.model.wan_vae import WanVAE
from avatar_nodes.profile.section import DecoderStart, ReferenceLatent

_STILL_LATENTS, _DROPPED = 7, 3
"""As in the public pipeline."""


class LatentDecoder(Protocol):
    """What makes the frames: a `WanVAE` or a `LightDecoder`."""

    @property
    def latent_channels(self) -> int: ...

    def decode(self, z: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Frames [B, 4F, 3, 8h, 8w] of the latents [B, F, C, h, w] after `state`, and the new
        state; None begins a stream, whose first latent is one frame."""
        ...


class WanStreamingDecoder:
    """`StreamingDecoder` over a `WanVAE`, which encodes, and what decodes (default: the same).

    The autoencoder makes one frame of a first latent and four of each other, so a stream begins
    with latents that are not shown, and the blocks after them have all their frames.

    motion_tokens: sinks have motion context, the latents of the picture standing still for 73
    frames. reference_latent: which latent of such a still is the sink: its `first`, the picture
    alone, or its `second`, of four frames as a stream's own latents are. decoder_start: a stream
    begins with the `reference`'s latent, or with the first seven of the motion context, a `still`;
    then the first three frames of its first block are as the fourth.
    """

    needs_sink = True
    looks_at_reference = False

    def __init__(
        self, vae: WanVAE, decoder: LatentDecoder | None = None, *, motion_tokens: bool = False,
        reference_latent: ReferenceLatent = "first", decoder_start: DecoderStart = "reference",
    ) -> None:  # fmt: skip
        """Raises ValueError: to begin with a still without motion context."""
        if decoder_start == "still" and not motion_tokens:
            raise ValueError("decoder_start still needs motion_tokens")
        self._vae = vae
        self._decoder = decoder or vae
        self._has_motion = motion_tokens
        self._takes_second = reference_latent == "second"
        self._begins_still = decoder_start == "still"
        self.sink_frames = 1 + (MOTION_LATENTS if motion_tokens else 0)
        self._state: Any = None
        self._is_settling = False
        self._copies = HostCopies(vae.device)
        self._stream = OwnStream(vae.device)

    def look_at(self, picture: np.ndarray) -> None:
        """Raises TypeError: frames are made of latents alone."""
        raise TypeError("this decoder does not look at a reference picture")

    def reset(self) -> None:
        """Forget the stream; the next latent is decoded as a first one: it makes one frame."""
        self._state, self._is_settling = None, False

    def begin(self, sink: Tensor) -> None:
        """A new stream of this sink [C, sink_frames, h, w]."""
        self.reset()
        self.decode(sink[:, 1 : 1 + _STILL_LATENTS] if self._begins_still else sink[:, :1])
        self._is_settling = self._begins_still

    @torch.inference_mode()
    def decode(self, latent: Tensor) -> np.ndarray:
        """Normalised latent [C, F, h, w] -> uint8 RGB frames [F * 4, H, W, 3]; the first latent
        after `reset` is one frame.

        Raises:
            ValueError: the channel count is not the decoder's.
        """
        channels = self._decoder.latent_channels
        if latent.ndim != 4 or latent.shape[0] != channels:
            raise ValueError(f"latent {tuple(latent.shape)}: expected [{channels}, F, h, w]")
        with self._stream.work():
            parts = [self._decode(one) for one in latent.split(1, dim=1)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _decode(self, latent: Tensor) -> np.ndarray:
        z = self._copies.to_device(latent).transpose(0, 1)[None]
        frames, self._state = self._decoder.decode(z, self._state)
        pixels = pixels_of(frames[0], self._copies)
        if self._is_settling:
            pixels[:_DROPPED] = pixels[_DROPPED]
            self._is_settling = False
        return pixels

    @torch.inference_mode()
    def encode_reference(self, image: np.ndarray) -> Tensor:
        """uint8 RGB [H, W, 3] -> normalised latent float32 [C, sink_frames, h, w] of its sink.

        Raises:
            ValueError: the image is not uint8 RGB, or a side is no multiple of 8.
        """
        frame = frame_of(image).float().div(127.5).sub(1.0)
        latents = MOTION_LATENTS if self._has_motion else 1 + self._takes_second
        still = frame[None, None].expand(-1, 1 + 4 * (latents - 1), -1, -1, -1)
        made = self._vae.encode(still)[0].transpose(0, 1).cpu()
        sink = made[:, int(self._takes_second)][:, None]
        return torch.cat([sink, made], dim=1) if self._has_motion else sink.contiguous()
