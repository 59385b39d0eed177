"""Encodes clips into latents and audio columns, as the stream would have them."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from avatar_nodes.block.audio_features import MelFeatures
from avatar_nodes.block.audio_window import AudioWindow, blocks_and_what_follows
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.conducting.build import build_features
from avatar_nodes.conducting.settings import FeatureSettings
from avatar_nodes.model.tiny_decoder import FRAMES_PER_LATENT
from avatar_nodes.model.tiny_vae import TinyVAE, channels_last, load_vae
from avatar_nodes.model.wan_folder import SPATIAL_STRIDE, VIDEO_VAE


class ClipEncoder(Protocol):
    """Encodes whole clips."""

    @property
    def stride(self) -> int:
        """Pixels, down and across, that a latent cell stands for."""
        ...

    gain: bool
    """True if a louder sound has the same columns, all higher by one value."""

    def latents(self, frames: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 RGB [F, H, W, 3] of whole blocks and [H, W, 3] -> normalised latents float32,
        [F / 4, C, h, w] of the blocks and [1, C, h, w] of the reference."""
        ...

    def columns(self, sound: np.ndarray) -> np.ndarray:
        """float32 [samples] of N blocks in -1..1 -> float32 [layers, D, 5 + N n], n frames a block;
        or [N, layers, D, 5 + n] where two blocks do not hear what they share alike."""
        ...


class TinyClipEncoder:
    """The tiny autoencoder, a block at a time, and mel columns."""

    gain = True

    def __init__(self, vae: Path, timing: BlockTiming) -> None:
        """Raises CheckpointError."""
        self._vae = channels_last(load_vae(vae).to(torch.bfloat16))
        self._features = MelFeatures(timing)

    @property
    def stride(self) -> int:
        return self._vae.config.spatial_stride

    def latents(self, frames: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `ClipEncoder.latents`."""
        size = self._features.timing.frames_per_block
        firsts = range(0, len(frames), size)
        made = [encode_frames(self._vae, frames[n : n + size]) for n in firsts]
        still = np.repeat(reference[None], FRAMES_PER_LATENT, axis=0)
        return np.concatenate(made), encode_frames(self._vae, still)

    def columns(self, sound: np.ndarray) -> np.ndarray:
        """See `ClipEncoder.columns`."""
        before = np.zeros(self._features.context_samples, np.float32)
        return self._features.columns(np.concatenate([before, sound])).numpy()


class WanClipEncoder:
    """The published autoencoder and audio model.

    A stream begins by decoding its reference, which is one frame; every latent after it is four.
    So a clip is encoded as the frames that follow its reference.
    """

    gain = False
    stride = SPATIAL_STRIDE

    def __init__(self, weights: Path, *, device: str = "cpu") -> None:
        """weights: a published folder. Raises CheckpointError, AssemblyError."""
        from avatar_nodes.model.wan_vae import load_wan_vae  # diffusers: seconds

        self._vae = load_wan_vae(weights / VIDEO_VAE, device=device, decodes=False)
        self._features = build_features(
            FeatureSettings(checkpoint=str(weights), audio_device=device)
        )

    def latents(self, frames: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `ClipEncoder.latents`."""
        video = torch.from_numpy(np.concatenate([reference[None], frames])).permute(0, 3, 1, 2)
        made = self._vae.encode(video.float().div(127.5).sub(1.0)[None])[0].cpu().numpy()
        return made[1:], made[:1]

    def columns(self, sound: np.ndarray) -> np.ndarray:
        """See `ClipEncoder.columns`; each block as the stream hears it, in its window."""
        samples = np.round(np.clip(sound, -1.0, 1.0) * 32767.0).astype(np.int16)
        features, size = self._features, self._features.timing.samples_per_block
        window = AudioWindow(
            size, features.context_samples, features.lookahead_samples,
            speech_level=features.speech_level(),
        )  # fmt: skip
        beside, heard = features.context_samples + size, []
        for number, (block, ahead) in enumerate(blocks_and_what_follows(samples, size)):
            around = window.push(block, ahead, ends=True)
            columns = features.block(around, number, ahead_samples=len(around) - beside)
            heard.append(columns.numpy())
        return np.stack(heard)


def clip_encoder(*, vae: Path, weights: Path | None, timing: BlockTiming) -> ClipEncoder:
    """The encoder of a published folder, which knows its timing, or that of the autoencoder trained
    here.
    """
    if weights is None:
        return TinyClipEncoder(vae, timing)
    return WanClipEncoder(weights, device="cuda" if torch.cuda.is_available() else "cpu")


def encode_frames(vae: TinyVAE, frames: np.ndarray) -> np.ndarray:
    """uint8 RGB [F * 4, H, W, 3] -> normalised latents float32 [F, C, h, w]."""
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).to(torch.bfloat16)
    return vae.encode(pixels.div(127.5).sub(1.0).unsqueeze(0))[0].float().numpy()
