"""Makes sound louder or quieter."""

from __future__ import annotations

import numpy as np


def louder(samples: np.ndarray, volume: float) -> np.ndarray:
    """int16 samples times `volume`, clipped; with 1.0 the same array."""
    if volume == 1.0:
        return samples
    loud = np.rint(samples.astype(np.float32) * volume)
    return loud.clip(-32768, 32767).astype(np.int16)
