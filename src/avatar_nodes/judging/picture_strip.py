"""Draws a few moments of a clip as one picture: the truth above, what a system made below."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from avatar_nodes.world.clips import Clip


def write_strip(path: Path, clip: Clip, frames: np.ndarray, *, columns: int = 8) -> None:
    """Write `columns` evenly spaced moments of `frames`, uint8 RGB [F, H, W, 3], to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    moments = [int(n) for n in np.linspace(6, len(frames) - 1, columns)]
    truth = np.concatenate([clip.frame(n) for n in moments], axis=1)
    made = np.concatenate([frames[n] for n in moments], axis=1)
    picture = np.concatenate([truth, made], axis=0)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
