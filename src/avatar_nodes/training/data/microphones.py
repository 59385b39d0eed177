"""Hears a clip's sound as other voices, rooms, microphones and lines would give it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pedalboard import Plugin

_QUIET = 1e-4
"""Root mean square of sound in which nobody speaks."""


def heard(
    sound: np.ndarray, rng: np.random.Generator, *, sample_rate: int,
    others: Sequence[np.ndarray] = (),
) -> np.ndarray:  # fmt: skip
    """The sound through a random chain; nothing in it is later or earlier than before.

    A larger or smaller speaker (pitch and formants), a room, a microphone's range, a line's level
    control and codec, noise, people talking elsewhere, loud or quiet.

    Args:
        sound: float32 [n] in -1..1. others: sound of other people, to be heard behind.

    Returns:
        float32 [n] in -1..1.
    """
    from pedalboard import Pedalboard

    chain = Pedalboard([*_speaker(rng), *_room(rng), *_microphone(rng, sample_rate)])
    changed: np.ndarray = _of_length(
        np.asarray(chain(sound.astype(np.float32), sample_rate)), len(sound)
    )
    level = float(np.sqrt(np.mean(np.square(changed))))
    if level > _QUIET:
        changed = changed + np.float32(level) * _behind(len(sound), rng, others)
    else:
        changed = changed + np.float32(10 ** rng.uniform(-5.0, -2.5)) * _noise(len(sound), rng)
    line = Pedalboard(_line(rng))
    changed = _of_length(np.asarray(line(changed, sample_rate)), len(sound))
    if level <= _QUIET:  # a room's noise is not to be made as loud as speech
        return np.clip(changed, -1.0, 1.0).astype(np.float32)
    peak = float(np.abs(changed).max())
    loudness = 10 ** rng.uniform(-1.2, 0.0) / max(peak, 0.05)
    return np.clip(changed * loudness, -1.0, 1.0).astype(np.float32)


def _speaker(rng: np.random.Generator) -> list[Plugin]:
    from pedalboard import PitchShift

    return [PitchShift(float(rng.uniform(-4.0, 4.0)))] if rng.random() < 0.35 else []


def _room(rng: np.random.Generator) -> list[Plugin]:
    from pedalboard import Reverb

    if rng.random() >= 0.5:
        return []
    wet = float(rng.uniform(0.05, 0.35))
    size, damping = float(rng.uniform(0.05, 0.7)), float(rng.uniform(0.2, 0.9))
    return [Reverb(room_size=size, damping=damping, wet_level=wet, dry_level=1.0 - wet)]


def _microphone(rng: np.random.Generator, sample_rate: int) -> list[Plugin]:
    from pedalboard import HighpassFilter, HighShelfFilter, LowpassFilter, LowShelfFilter

    parts: list[Plugin] = []
    if rng.random() < 0.4:
        parts.append(HighpassFilter(float(rng.uniform(60.0, 350.0))))
    if rng.random() < 0.4:
        parts.append(LowpassFilter(float(rng.uniform(0.18, 0.45)) * sample_rate))
    if rng.random() < 0.5:
        parts.append(LowShelfFilter(300.0, float(rng.uniform(-8.0, 8.0))))
        parts.append(HighShelfFilter(2500.0, float(rng.uniform(-10.0, 8.0))))
    return parts


def _line(rng: np.random.Generator) -> list[Plugin]:
    from pedalboard import Compressor, Distortion, GSMFullRateCompressor, MP3Compressor

    parts: list[Plugin] = []
    if rng.random() < 0.3:
        threshold, ratio = float(rng.uniform(-35.0, -15.0)), float(rng.uniform(2.0, 6.0))
        parts.append(Compressor(threshold_db=threshold, ratio=ratio))
    if rng.random() < 0.1:
        parts.append(Distortion(float(rng.uniform(1.0, 12.0))))
    drawn = rng.random()
    if drawn < 0.08:
        parts.append(GSMFullRateCompressor())
    elif drawn < 0.25:
        parts.append(MP3Compressor(float(rng.uniform(4.0, 9.0))))
    return parts


def _behind(length: int, rng: np.random.Generator, others: Sequence[np.ndarray]) -> np.ndarray:
    """What is heard behind the speaker, as a share of his level."""
    behind = np.zeros(length, np.float32)
    if rng.random() < 0.6:
        behind += 10 ** rng.uniform(-2.0, -0.35) * _noise(length, rng)
    if len(others) and rng.random() < 0.3:
        other = np.resize(others[int(rng.integers(len(others)))], length)
        level = float(np.sqrt(np.mean(np.square(other))))
        if level > _QUIET:
            turned = np.roll(other, int(rng.integers(length)))
            behind += 10 ** rng.uniform(-1.3, -0.6) * turned / level
    return behind


def _noise(length: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of root mean square 1, between white (0) and brown (2) in its spectrum's slope."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    frequency = np.maximum(np.arange(len(spectrum)), length / 400.0)
    noise = np.fft.irfft(spectrum / frequency ** (rng.uniform(0.0, 2.0) / 2.0), length)
    return (noise / np.sqrt(np.mean(np.square(noise)))).astype(np.float32)


def _of_length(sound: np.ndarray, length: int) -> np.ndarray:
    flat: np.ndarray = sound.reshape(-1).astype(np.float32)
    return np.pad(flat, (0, max(0, length - len(flat))))[:length]
