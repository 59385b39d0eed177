"""Streaming video decoding: clean latents in, frames out, state carried from block to block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from avatar_nodes.block.block import EpochStart, Sink
from avatar_nodes.model.host_copies import HostCopies
from avatar_nodes.model.own_stream import OwnStream
from avatar_nodes.model.reference_decoder import Appearance
from avatar_nodes.model.tiny_decoder import FRAMES_PER_LATENT, DecoderState
from avatar_nodes.model.tiny_vae import TinyVAE, channels_last


class StreamingDecoder(Protocol):
    """Decodes a stream of latents block by block, and encodes reference pictures."""

    needs_sink: bool
    """Whether a stream has to begin with a sink, whose frame is not shown: the first latent of all
    makes less than four frames."""
    sink_frames: int
    """Latent frames of a reference's sink: 1, and those of its motion context, if any."""

    @property
    def looks_at_reference(self) -> bool:
        """Whether frames are made of the reference picture, too, and not of latents alone."""
        ...

    def look_at(self, picture: np.ndarray) -> None:
        """The person's picture from now on, uint8 RGB [H, W, 3] of the video's size."""
        ...

    def reset(self) -> None:
        """Forget the stream, not the person; the next latent is decoded as a first one."""
        ...

    def begin(self, sink: Tensor) -> None:
        """A new stream of this sink [C, sink_frames, h, w], of the same person."""
        ...

    def decode(self, latent: Tensor) -> np.ndarray:
        """Normalised latent float32 [C, F, h, w] -> uint8 RGB frames [F * 4, H, W, 3]; the same
        bits however many latents are given at once."""
        ...

    def encode_reference(self, image: np.ndarray) -> Tensor:
        """uint8 RGB [H, W, 3] of the video's size -> normalised latent float32 [C, sink_frames, h,
        w] of its sink."""
        ...


def reference_sink(decoder: StreamingDecoder, picture: np.ndarray, *, prompt_id: str = "") -> Sink:
    """The sink of a person's `picture`, uint8 RGB [H, W, 3] of the video's size."""
    latent = decoder.encode_reference(picture)
    return Sink(0, latent, prompt_id, picture=picture if decoder.looks_at_reference else None)


def begin_with(decoder: StreamingDecoder, picture: np.ndarray) -> None:
    """A new stream of the person in `picture`, uint8 RGB [H, W, 3] of the video's size."""
    if decoder.looks_at_reference:
        decoder.look_at(picture)
    decoder.begin(decoder.encode_reference(picture))


def start_decoding(decoder: StreamingDecoder, start: EpochStart) -> None:
    """Bring the decoder to where an epoch begins: its memory is that of the sink, then the context.

    Without a picture in its memory the decoder's first frames would be blurred.
    """
    if start.sink is None:
        decoder.reset()
    else:
        if decoder.looks_at_reference and start.sink.picture is not None:
            decoder.look_at(start.sink.picture)
        decoder.begin(start.sink.latent)
    for past in start.context:
        decoder.decode(past.latent)


class TinyStreamingDecoder:
    """`StreamingDecoder` over a `TinyVAE`.

    On the CPU in bfloat16 the picture differs from float32 by less than a grey level on average
    and takes a fraction of the time.

    Args:
        scale: of the video's sides to those of the pictures that latents are made of; above 1 the
            autoencoder has to look at the reference picture, which it is then warped at.
        drawn_alone: show what is drawn of the latents in the place of the reference picture, too,
            to measure what that adds.
    """

    needs_sink = False
    sink_frames = 1

    def __init__(
        self, vae: TinyVAE, *, device: str = "cpu", dtype: torch.dtype = torch.float32,
        scale: int = 1, drawn_alone: bool = False,
    ) -> None:  # fmt: skip
        if scale > 1 and not vae.looks_at_reference:
            raise ValueError("only a decoder that looks at the reference makes larger pictures")
        self._vae = channels_last(vae.to(device=device, dtype=dtype)).eval()
        self._device = torch.device(device)
        self._dtype = dtype
        self._scale = scale
        self._drawn_alone = drawn_alone
        self._state: DecoderState | None = None
        self._picture: np.ndarray | None = None
        self._appearance: Appearance | None = None
        self._copies = HostCopies(self._device)
        self._stream = OwnStream(self._device)

    @property
    def looks_at_reference(self) -> bool:
        """Whether frames are made of the reference picture, too, and not of latents alone."""
        return self._vae.looks_at_reference

    @torch.inference_mode()
    def look_at(self, picture: np.ndarray) -> None:
        """The person's picture from now on, uint8 RGB [H, W, 3] of the video's size.

        Raises:
            TypeError: this decoder makes frames of latents alone.
            ValueError: as `encode_reference`.
        """
        with _one_thread():
            self._appearance = self._vae.look_at(self._small(picture))
        self._picture = picture

    def reset(self) -> None:
        """Forget the stream, not the person; the next latent is decoded as a first one."""
        self._state = None

    def begin(self, sink: Tensor) -> None:
        """A new stream of this sink [C, 1, h, w], of the same person."""
        self.reset()
        self.decode(sink)

    @torch.inference_mode()
    def decode(self, latent: Tensor) -> np.ndarray:
        """Normalised latent [C, F, h, w] -> uint8 RGB frames [F * 4, H, W, 3].

        Raises:
            ValueError: the channel count is not the autoencoder's, or there is no picture to look
                at.
        """
        channels = self._vae.config.latent_channels
        if latent.ndim != 4 or latent.shape[0] != channels:
            raise ValueError(f"latent {tuple(latent.shape)}: expected [{channels}, F, h, w]")
        with self._stream.work():
            parts = [self._decode(one) for one in latent.split(1, dim=1)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _decode(self, latent: Tensor) -> np.ndarray:
        z = self._copies.to_device(latent).to(self._dtype).transpose(0, 1).unsqueeze(0)
        if self._vae.looks_at_reference:
            return self._composed(z)
        frames, self._state = self._vae.decode(z, self._state)
        return pixels_of(frames[0], self._copies)

    def _composed(self, z: Tensor) -> np.ndarray:
        from avatar_nodes.decoding.composite import composite  # OpenCV: for those that need it

        picture = self._picture
        if picture is None or self._appearance is None:
            raise ValueError("no picture of the person: this decoder has to look at one first")
        with _one_thread():
            painting, self._state = self._vae.paint(z, self._appearance, self._state)
        drawn = pixels_of(painting.drawn[0], self._copies)
        flow, mask = painting.flow[0].cpu().numpy(), painting.mask[0, :, 0].cpu().numpy()
        if self._drawn_alone:
            mask = np.zeros_like(mask)
        frames = [
            composite(picture, drawn=drawn[n], flow=flow[n], mask=mask[n])
            for n in range(len(drawn))
        ]
        return np.stack(frames)

    @torch.inference_mode()
    def encode_reference(self, image: np.ndarray) -> Tensor:
        """uint8 RGB [H, W, 3] -> normalised latent [C, 1, h, w] of the picture standing still.

        Raises:
            ValueError: the image is not uint8 RGB, or a side is no multiple of the stride.
        """
        still = self._small(image).expand(1, FRAMES_PER_LATENT, -1, -1, -1)
        with _one_thread():
            encoded = self._vae.encode(still)
        return encoded[0].transpose(0, 1).float().cpu().contiguous()

    def _small(self, picture: np.ndarray) -> Tensor:
        """uint8 RGB [H, W, 3] -> [1, 3, h, w] in -1..1, as large as latents stand for.

        Raises:
            ValueError: the picture is not uint8 RGB.
        """
        pixels = frame_of(picture)[None].to(self._device)
        if self._scale > 1:
            pixels = avg_pool2d(pixels.float(), self._scale)
        return pixels.to(self._dtype).div(127.5).sub(1.0)


@contextmanager
def _one_thread() -> Iterator[None]:
    """The same bits however many threads others compute on: a small convolution rounds otherwise on
    two, and is no faster there."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def pixels_of(frames: Tensor, copies: HostCopies | None = None) -> np.ndarray:
    """Frames [n, 3, H, W] in about -1..1 -> uint8 RGB [n, H, W, 3]; copies: how they leave the
    device.
    """
    pixels = frames.float().add(1.0).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
    rows = pixels.permute(0, 2, 3, 1).contiguous()
    return (rows.cpu() if copies is None else copies.to_host(rows)).numpy()


def frame_of(image: np.ndarray) -> Tensor:
    """uint8 RGB [H, W, 3] -> uint8 [3, H, W].

    Raises:
        ValueError: the image is not uint8 RGB.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"reference {image.dtype} {image.shape}: expected uint8 [H, W, 3]")
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
