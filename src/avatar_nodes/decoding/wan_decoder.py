"""Streaming video decoding of Wan's latents: with its own autoencoder, or with a light decoder."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.decoding.decoder import frame_of, pixels_of
from avatar_nodes.model.host_copies import HostCopies
from avatar_nodes.model.own_stream import OwnStream
from avatar_nodes.model.wan_vae import WanVAE


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

    As in the public pipeline, a stream begins with the reference's latent: the autoencoder makes
    one frame of a first latent and four of each other, so the blocks after it have all theirs.
    """

    needs_sink = True
    looks_at_reference = False

    def __init__(self, vae: WanVAE, decoder: LatentDecoder | None = None) -> None:
        self._vae = vae
        self._decoder = decoder or vae
        self._state: Any = None
        self._copies = HostCopies(vae.device)
        self._stream = OwnStream(vae.device)

    def look_at(self, picture: np.ndarray) -> None:
        """Raises TypeError: frames are made of latents alone."""
        raise TypeError("this decoder does not look at a reference picture")

    def reset(self) -> None:
        """Forget the stream; the next latent is decoded as a first one: it makes one frame."""
        self._state = None

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
        return pixels_of(frames[0], self._copies)

    @torch.inference_mode()
    def encode_reference(self, image: np.ndarray) -> Tensor:
        """uint8 RGB [H, W, 3] -> normalised latent float32 [C, 1, h, w] of the picture alone.

        Raises:
            ValueError: the image is not uint8 RGB, or a side is no multiple of 8.
        """
        frame = frame_of(image).float().div(127.5).sub(1.0)
        return self._vae.encode(frame[None, None])[0].transpose(0, 1).cpu().contiguous()
