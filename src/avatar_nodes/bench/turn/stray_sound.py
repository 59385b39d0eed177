"""Makes sound that is no plain question: noise, coughs, speech without words, hesitation."""

from __future__ import annotations

import numpy as np

from avatar_nodes.sound.audio_file import GRAPH_RATE
from avatar_nodes.speaking.synthesis.espeak import EspeakSynthesiser

_CONSONANTS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "st")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "oo")
_VOICES = ("en-us", "en-us+m3", "en-us+f2")
_SLOPE_S = 0.02
_COUGH_S = 0.16
_VOICED = 3000
_AUDIBLE = 50


def noise(seed: int, *, seconds: float = 0.8, level: float = 0.1) -> np.ndarray:
    """A burst of white noise, int16 [n] at 16 kHz; level: its root mean square, of full scale."""
    count = round(seconds * GRAPH_RATE)
    return _sloped(np.random.default_rng(seed).normal(0.0, level * 32767.0, count))


def nonsense_text(seed: int) -> str:
    """Two to four words that are none."""
    rng = np.random.default_rng(seed)
    return " ".join(
        "".join(str(rng.choice(_CONSONANTS)) + str(rng.choice(_VOWELS)) for _ in range(syllables))
        for syllables in rng.integers(1, 4, size=rng.integers(2, 5))
    )


def nonsense(seed: int) -> np.ndarray:
    """Them, spoken: int16 [n] at 16 kHz.

    Raises:
        SynthesisError: espeak-ng does not work here.
    """
    return _spoken(nonsense_text(seed), _VOICES[seed % len(_VOICES)])


def hesitation(first: str, rest: str, *, pause_s: float) -> tuple[np.ndarray, float]:
    """A sentence with a pause in the middle, int16 [n] at 16 kHz, and when the pause ends [s].
    Raises SynthesisError."""
    begin, end = (_trimmed(_spoken(half, _VOICES[0])) for half in (first, rest))
    pause = np.zeros(round(pause_s * GRAPH_RATE), np.int16)
    return np.concatenate([begin, pause, end]), (len(begin) + len(pause)) / GRAPH_RATE


def cough(seed: int) -> np.ndarray:
    """A voiced sound too short for words, int16 [n] at 16 kHz. Raises SynthesisError."""
    spoken = nonsense(seed)
    first = int(np.argmax(np.abs(spoken.astype(np.int32)) > _VOICED))
    return _sloped(spoken[first : first + round(_COUGH_S * GRAPH_RATE)].astype(np.float64))


def _spoken(text: str, voice: str) -> np.ndarray:
    speaker = EspeakSynthesiser(voice=voice)
    try:
        return np.concatenate(list(speaker.synthesise(text)))
    finally:
        speaker.close()


def _trimmed(samples: np.ndarray) -> np.ndarray:
    """Without the silence before and after."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _AUDIBLE)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples


def _sloped(samples: np.ndarray) -> np.ndarray:
    """Begins and ends softly; int16."""
    slope = np.minimum(1.0, np.arange(len(samples)) / (_SLOPE_S * GRAPH_RATE))
    return np.clip(np.rint(samples * slope * slope[::-1]), -32768, 32767).astype(np.int16)
