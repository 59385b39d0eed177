"""Turns phonemes into the lips' (aperture, width, rounding), without looking ahead."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avatar_nodes.world.speech import Speech

FRAME_RATE = 25
"""Frames a second where nobody asks for another number."""
GRID_HZ = 200
"""Steps a second of the lips' movement, at least; each frame has a whole number of them."""
TIME_CONSTANT_S = 0.035
CLOSING_TIME_CONSTANT_S = 0.020
SILENCE_RMS = 0.012


@dataclass(frozen=True)
class Viseme:
    """aperture, width, rounding in 0..1 (width 0.5 is the mouth at rest)."""

    aperture: float
    width: float
    rounding: float


SILENCE = Viseme(0.0, 0.5, 0.0)

# Below zero: the smoothed curve is clipped at 0, so that even a short m, b or p closes the lips
# fully.
_BILABIAL = Viseme(-0.35, 0.45, 0.05)

_TABLE: dict[str, Viseme] = {}


def _enter(symbols: str, aperture: float, width: float, rounding: float) -> None:
    for symbol in symbols.split():
        _TABLE[symbol] = Viseme(aperture, width, rounding)


_enter("a ɑ ɐ ɒ æ ʌ", 0.95, 0.60, 0.05)
_enter("aʊ aɪ aj", 1.00, 0.60, 0.10)
_enter("ɛ e œ œ̃ ɛ̃ ɑ̃ ɜ", 0.62, 0.72, 0.05)
_enter("ə ᵻ", 0.42, 0.52, 0.05)
_enter("i ɪ", 0.34, 0.95, 0.00)
_enter("eɪ ɪɹ", 0.50, 0.88, 0.00)
_enter("ɔ ɔ̃ o", 0.68, 0.28, 0.70)
_enter("ɔɪ oʊ əʊ ɔø ɔʏ", 0.66, 0.28, 0.75)
_enter("u ʊ y ʏ ø", 0.36, 0.08, 1.00)
_enter("w ɥ ʋ", 0.20, 0.06, 1.00)
_enter("ɚ ɝ ɹ r ɾ ʁ ʀ", 0.32, 0.34, 0.45)
_enter("f v pf", 0.10, 0.58, 0.00)
_enter("θ ð β", 0.26, 0.62, 0.00)
_enter("t d n l s z ts ɲ ʎ ɫ", 0.24, 0.70, 0.00)
_enter("ʃ ʒ tʃ dʒ ɕ ʑ", 0.26, 0.24, 0.65)
_enter("k ɡ g ŋ x χ ɣ h ç j ʔ q", 0.32, 0.58, 0.05)
for _symbol in "m b p".split():
    _TABLE[_symbol] = _BILABIAL

VISEMES: dict[str, Viseme] = dict(_TABLE)


_ARTICULATIONS: dict[str, tuple[float, float, float, float]] = {
    symbol: row
    for symbols, row in (
        ("m b p", (1.0, 0.0, 0.0, 0.3)),
        ("f v pf ʋ", (0.0, 1.0, 0.0, 0.6)),
        ("θ ð", (0.0, 0.0, 1.0, 0.3)),
        ("l n ɫ ɲ ʎ t d ɾ r", (0.0, 0.0, 0.6, 0.5)),
        ("s z ts ʃ ʒ tʃ dʒ ɕ ʑ", (0.0, 0.0, 0.1, 1.0)),
    )
    for symbol in symbols.split()
}
_PASSIVE = (0.0, 0.0, 0.0, 0.0)


def viseme(ipa: str) -> Viseme:
    """The lips' target for one phoneme; an unknown symbol is read by its first known part."""
    if not ipa:
        return SILENCE
    known = _known(ipa, VISEMES)
    return VISEMES["ə" if known is None else known]


def _known(ipa: str, table: dict[str, Viseme]) -> str | None:
    """The longest beginning of a phoneme that the table has."""
    plain = ipa.replace("ː", "").replace("-", "").replace("ʲ", "").replace(".", "")
    for length in range(len(plain), 0, -1):
        if plain[:length] in table:
            return plain[:length]
    return None


@dataclass(frozen=True)
class LipTrack:
    """float32 [frames] each, 0..1; row n belongs to the sound up to the end of frame n."""

    aperture: np.ndarray
    width: np.ndarray
    rounding: np.ndarray


def lip_track(speech: Speech | None, num_frames: int, frame_rate: int = FRAME_RATE) -> LipTrack:
    """The mouth for `num_frames` video frames; closed where there is no speech."""
    columns = _movement(speech, num_frames, frame_rate, lambda ipa: _row(viseme(ipa)))
    return LipTrack(columns[:, 0].copy(), columns[:, 1].copy(), columns[:, 2].copy())


@dataclass(frozen=True)
class Articulation:
    """float32 [frames] each, 0..1: what a mouth does beside its opening.

    press: the lips upon each other (m, b, p). bite: the lower lip at the upper teeth (f, v).
    tongue: its tip at the teeth (th, l, n, t, d). clench: the teeth near each other (s, z, sh).
    """

    press: np.ndarray
    bite: np.ndarray
    tongue: np.ndarray
    clench: np.ndarray


def articulation(
    speech: Speech | None, num_frames: int, frame_rate: int = FRAME_RATE
) -> Articulation:
    """Moves as `lip_track` does, with the same sound; all 0 where there is no speech."""

    def row(ipa: str) -> np.ndarray:
        known = _known(ipa, VISEMES)
        return np.array(_ARTICULATIONS.get(known or "", _PASSIVE))

    columns = _movement(speech, num_frames, frame_rate, row)
    return Articulation(*(column.copy() for column in columns.T))


def _movement(
    speech: Speech | None, num_frames: int, frame_rate: int, row: Callable[[str], np.ndarray]
) -> np.ndarray:
    """float32 [frames, columns] in 0..1: the targets of the phonemes, followed smoothly."""
    steps_per_frame = -(-GRID_HZ // frame_rate)
    grid_hz = steps_per_frame * frame_rate
    targets = np.tile(row(""), (num_frames * steps_per_frame, 1))
    if speech is not None:
        _fill(targets, speech, grid_hz, row)
    smooth = _follow(targets, grid_hz, row(""))[steps_per_frame - 1 :: steps_per_frame]
    return np.clip(smooth, 0.0, 1.0).astype(np.float32)


def _row(target: Viseme) -> np.ndarray:
    return np.array([target.aperture, target.width, target.rounding])


def _fill(
    targets: np.ndarray, speech: Speech, grid_hz: int, row: Callable[[str], np.ndarray]
) -> None:
    """Write each phoneme's target over its time.

    A pause that still sounds (a link between two words) keeps the mouth as it was.
    """
    before = row("")
    for phone in speech.phones:
        target = row(phone.ipa)
        if not phone.ipa and _rms(speech, phone.start_s, phone.end_s) > SILENCE_RMS:
            target = before
        first, last = round(phone.start_s * grid_hz), round(phone.end_s * grid_hz)
        targets[first:last] = target
        before = target


def _rms(speech: Speech, start_s: float, end_s: float) -> float:
    rate = speech.sample_rate
    part = speech.samples[int(start_s * rate) : int(end_s * rate)]
    return float(np.sqrt(np.mean(np.square(part)))) if len(part) else 0.0


def _follow(targets: np.ndarray, grid_hz: int, start: np.ndarray) -> np.ndarray:
    """Critically damped second order, exact step by step; quicker where the lips press together."""
    state, speed = start, np.zeros(len(start))
    out = np.empty_like(targets)
    for index, target in enumerate(targets):
        constant = CLOSING_TIME_CONSTANT_S if target[0] < 0 else TIME_CONSTANT_S
        omega = 2.0 / constant
        decay, step = math.exp(-omega / grid_hz), 1.0 / grid_hz
        offset = state - target
        drift = speed + omega * offset
        state = target + (offset + drift * step) * decay
        speed = (speed - omega * drift * step) * decay
        out[index] = state
    return out
