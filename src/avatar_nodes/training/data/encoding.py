"""Encodes the clips of the shards once, to one file a clip: latents, audio columns, mouth cells."""

from __future__ import annotations

import json
import time
import zlib
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from avatar_nodes.clips.encoders import ClipEncoder, clip_encoder
from avatar_nodes.training.data.microphones import heard
from avatar_nodes.training.data.shards.clips import ShardClip, ShardClips

_OTHERS = 4
"""Clips of which one may be heard behind another."""


@torch.inference_mode()
def write_encoded(
    folder: Path, *, shards: Path, vae_folder: Path, split: str, weights: Path | None = None,
    hearings: int = 0, part: int = 0, parts: int = 1,
) -> None:  # fmt: skip
    """Encode the clips of a split's shards to one `.npz` a clip.

    hearings: how often each clip's sound is encoded anew, each time as another voice, room and
    microphone would give it (`microphones.heard`). weights: a published folder, whose autoencoder
    and audio model encode instead of `vae_folder`'s and mel columns. Clips that are there already
    are kept, so an interrupted run goes on where it stopped. Several processes share the shards:
    each takes every `parts`-th one.
    """
    clips = ShardClips(shards, split, part=part, parts=parts)
    folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    encoder: ClipEncoder | None = None
    total, encoded, start = len(clips), 0, time.monotonic()
    before: deque[np.ndarray] = deque(maxlen=_OTHERS)
    for number, clip in enumerate(clips, start=1):
        path = folder / f"{clip.key}.npz"
        if path.exists():
            continue
        encoder = encoder or clip_encoder(vae=vae_folder, weights=weights, timing=clip.timing)
        rows = _encode(clip, encoder)
        if hearings:
            rows["hearings"] = _hearings(clip, encoder, hearings, before)
            before.append(clip.sound)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, allow_pickle=False, **rows)
        partial.rename(path)
        encoded += 1
        if number % 10 == 0 or number == total:
            left = (time.monotonic() - start) / encoded * (total - number) / 60
            print(f"{split} clips {number}/{total}, {left:.1f} min left", flush=True)


def _encode(clip: ShardClip, encoder: ClipEncoder) -> dict[str, np.ndarray]:
    latents, reference = encoder.latents(clip.frames(), clip.reference)
    encoded = {
        "latents": latents.astype(np.float16),
        "mouth": mouth_cells(
            clip.mouth.tolist(), encoder.stride, latents.shape[-2:], clip.timing.frames_per_latent
        ),
        "reference": reference.astype(np.float16),
        "columns": encoder.columns(clip.sound).astype(np.float16),
        "gain": np.array(encoder.gain),
        "prompts": np.array(json.dumps(list(clip.prompts))),
    }
    if "aperture" in clip.truth:  # the tiny world's own truth
        encoded["aperture"] = clip.truth["aperture"]
        encoded["box"] = clip.truth["search_box"]
    return encoded


def _hearings(
    clip: ShardClip, encoder: ClipEncoder, count: int, others: Sequence[np.ndarray]
) -> np.ndarray:
    """float16 [count, ...]: audio columns of the clip's sound, heard elsewhere."""
    rng = np.random.default_rng([zlib.crc32(clip.key.encode()), count])
    rate = clip.timing.sample_rate
    sounds = (heard(clip.sound, rng, sample_rate=rate, others=list(others)) for _ in range(count))
    return np.stack([encoder.columns(sound).astype(np.float16) for sound in sounds])


def mouth_cells(
    boxes: Sequence[Sequence[int]], stride: int, cells: tuple[int, int], frames_per_latent: int
) -> np.ndarray:
    """bool [F, h, w]: latent cells that the mouth touches in any of a latent's frames."""
    mask = np.zeros((len(boxes) // frames_per_latent, *cells), bool)
    for i, (x0, y0, x1, y1) in enumerate(boxes):
        rows = slice(max(0, y0 // stride), -(-y1 // stride))
        mask[i // frames_per_latent, rows, max(0, x0 // stride) : -(-x1 // stride)] = True
    return mask
