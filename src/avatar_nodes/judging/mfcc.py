"""Computes the mel-frequency cepstral coefficients that the public SyncNet was trained on.

The conventions are those of the package python_speech_features with its defaults (HTK-like): 25 ms
windows without a taper every 10 ms, pre-emphasis 0.97, 26 mel bands, 13 coefficients, lifter 22,
the first coefficient replaced by the log of the window's energy.
"""

from __future__ import annotations

import numpy as np

RATE = 16_000
WINDOW, HOP, FFT = 400, 160, 512
BANDS, COEFFICIENTS, LIFTER = 26, 13, 22
_EPSILON = np.finfo(float).eps


def mfcc(samples: np.ndarray) -> np.ndarray:
    """Samples at 16 kHz in the range of int16 [n] -> float64 [windows, 13].

    The last window is filled up with zeros. Raises ValueError for an empty sound.
    """
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"sound {list(samples.shape)}: expected [n] with n > 0")
    signal = samples.astype(float)
    signal = np.append(signal[0], signal[1:] - 0.97 * signal[:-1])
    count = 1 + max(0, -(-(len(signal) - WINDOW) // HOP))
    signal = np.pad(signal, (0, max(0, (count - 1) * HOP + WINDOW - len(signal))))
    windows = np.lib.stride_tricks.sliding_window_view(signal, WINDOW)[::HOP][:count]
    power = np.abs(np.fft.rfft(windows, FFT)) ** 2 / FFT
    energy = power.sum(axis=1)
    bands = np.log(np.where(power @ _bank().T == 0, _EPSILON, power @ _bank().T))
    out = bands @ _cosines().T * _lifter()
    out[:, 0] = np.log(np.where(energy == 0, _EPSILON, energy))
    return out


def _bank() -> np.ndarray:
    """Triangular filters [26, 257], equally wide on the mel scale, their corners on FFT bins."""
    top = 2595.0 * np.log10(1.0 + RATE / 2 / 700.0)
    hertz = 700.0 * (10.0 ** (np.linspace(0.0, top, BANDS + 2) / 2595.0) - 1.0)
    corners = np.floor((FFT + 1) * hertz / RATE)
    bins = np.arange(FFT // 2 + 1)
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rise = (bins - left) / np.maximum(middle - left, 1.0)
    fall = (right - bins) / np.maximum(right - middle, 1.0)
    rising, falling = (bins >= left) & (bins < middle), (bins >= middle) & (bins < right)
    return np.where(rising, rise, np.where(falling, fall, 0.0))


def _cosines() -> np.ndarray:
    """The orthonormal DCT-II of 26 bands, its first 13 rows."""
    k, n = np.arange(COEFFICIENTS)[:, None], np.arange(BANDS)
    rows = np.sqrt(2.0 / BANDS) * np.cos(np.pi * k * (2 * n + 1) / (2 * BANDS))
    rows[0] /= np.sqrt(2.0)
    return rows


def _lifter() -> np.ndarray:
    return 1.0 + LIFTER / 2.0 * np.sin(np.pi * np.arange(COEFFICIENTS) / LIFTER)
