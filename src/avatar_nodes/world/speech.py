"""Synthesises speech with known phoneme times, by espeak-ng inside this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from avatar_nodes.speaking.synthesis.espeak_library import Espeak, SpeechError, check_numbers

SAMPLE_RATE = 16_000
"""Samples a second where nobody asks for another number."""


@dataclass(frozen=True)
class Phone:
    """One phoneme: its IPA symbol ('' is a pause) and its time in seconds from sample 0."""

    ipa: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Speech:
    """samples: float32 [n] in -1..1, mono, at `sample_rate` [Hz]; phones: gapless, in order, within
    the sound.
    """

    samples: np.ndarray
    phones: tuple[Phone, ...]
    sample_rate: int = SAMPLE_RATE

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate


def synthesise(
    text: str, *, voice: str = "en-us", rate: int = 170, pitch: int = 50,
    sample_rate: int = SAMPLE_RATE,
) -> Speech:  # fmt: skip
    """Speak `text` (rate: words a minute, 80..450; pitch: 0..99).

    Deterministic: the same arguments give the same samples. Raises SpeechError on an unknown voice,
    numbers out of range, or text that makes no sound.
    """
    check_numbers(rate, pitch)
    if not text.strip():
        raise SpeechError("text is empty")
    parts: list[np.ndarray] = []
    marks: list[tuple[int, str]] = []

    def keep(samples: np.ndarray, found: Sequence[tuple[int, str]]) -> bool:
        parts.append(samples)
        marks.extend(found)
        return True

    with Espeak(keep) as machine:
        machine.speak(text, voice=voice, rate=rate, pitch=pitch)
        source_rate = machine.rate
    sound = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    if len(sound) == 0:
        raise SpeechError(f"text {text!r} makes no sound")
    samples = soxr.resample(sound.astype(np.float32) / 32768.0, source_rate, sample_rate)
    samples = np.clip(samples, -1.0, 1.0).astype(np.float32)
    phones = _phones(marks, source_rate, len(samples) / sample_rate)
    return Speech(samples, phones, sample_rate)


def _phones(marks: list[tuple[int, str]], rate: int, duration_s: float) -> tuple[Phone, ...]:
    """Marks say where a phoneme begins; it lasts until the next one, or until the sound is over."""
    starts = [min(sample / rate, duration_s) for sample, _ in marks] + [duration_s]
    return tuple(
        Phone(_symbol(name), start, end)
        for (_, name), start, end in zip(marks, starts[:-1], starts[1:], strict=True)
        if end > start
    )


def _symbol(name: str) -> str:
    """Without stress and syllable marks; pauses (`_`, `_:`) become ''."""
    return name.strip("ˈˌ_:| ").replace("ˈ", "").replace("ˌ", "")
