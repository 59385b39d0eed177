"""The spectrogram that Whisper, and what was trained like it, hears."""

from __future__ import annotations

from functools import cache

import numpy as np

from avatar_nodes.sound.audio_file import GRAPH_RATE

HOP = 160
_WINDOW = 400
_BREAK_HZ, _HZ_A_MEL = 1000.0, 200.0 / 3.0
_STEP = np.log(6.4) / 27.0


def log_mel(sound: np.ndarray, bands: int) -> np.ndarray:
    """Sound at 16 kHz, float32 [n] in -1..1 -> float32 [bands, n // 160], about -1..1.5.

    Logarithms of mel bands of 25 ms every 10 ms; whatever is 80 dB below the loudest is as loud as
    that, so what else is in `sound` counts.
    """
    edge = _WINDOW // 2
    around = np.pad(sound.astype(np.float32), edge, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(around, _WINDOW)[::HOP][: len(sound) // HOP]
    taper = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    power = np.abs(np.fft.rfft(windows * taper)) ** 2
    logarithm = np.log10(np.maximum(power @ _bank(bands).T, 1e-10))
    logarithm = np.maximum(logarithm, logarithm.max(initial=-10.0) - 8.0)
    return np.ascontiguousarray(((logarithm + 4.0) / 4.0).T, dtype=np.float32)


@cache
def _bank(bands: int) -> np.ndarray:
    """Triangular filters [bands, 201] of equal area, on Slaney's mel scale."""
    break_mel = _BREAK_HZ / _HZ_A_MEL
    top = break_mel + np.log(GRAPH_RATE / 2 / _BREAK_HZ) / _STEP
    mels = np.linspace(0.0, top, bands + 2)
    hertz = np.where(
        mels < break_mel, mels * _HZ_A_MEL, _BREAK_HZ * np.exp(_STEP * (mels - break_mel))
    )
    bins = np.fft.rfftfreq(_WINDOW, 1.0 / GRAPH_RATE)
    rise = (bins - hertz[:-2, None]) / np.diff(hertz)[:-1, None]
    fall = (hertz[2:, None] - bins) / np.diff(hertz)[1:, None]
    area = 2.0 / (hertz[2:] - hertz[:-2])
    return np.maximum(0.0, np.minimum(rise, fall)) * area[:, None]
