"""The running level of speech: silence leaves it alone, and other speakers are followed."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_nodes.block.audio_window import AudioWindow
from avatar_nodes.block.speech_level import SpeechLevel

FRAME, BLOCK = 640, 7680
RNG = np.random.default_rng(0)


def _speech(seconds: float, level: float) -> np.ndarray:
    """Noise of this deviation, int16, with a pause of 120 ms in each 600 ms."""
    n = round(seconds * 16_000)
    loud = np.arange(n) // 1920 % 5 < 4
    return np.round(RNG.standard_normal(n) * level * loud * 32767).astype(np.int16)


def _level(*sounds: np.ndarray) -> float:
    level = SpeechLevel(FRAME)
    for sound in sounds:
        for first in range(0, len(sound), BLOCK):
            level.hear(sound[first : first + BLOCK])
    return level.value


@pytest.mark.parametrize("loud", [0.01, 0.06, 0.25])
def test_it_is_the_speech_without_its_pauses(loud: float) -> None:
    assert _level(_speech(10, loud)) == pytest.approx(loud, rel=0.25)


def test_silence_changes_nothing() -> None:
    speech = _speech(10, 0.1)
    hiss = np.round(RNG.standard_normal(160_000) * 0.002 * 32767).astype(np.int16)
    quiet = np.zeros(160_000, np.int16)
    assert _level(speech, quiet, hiss) == _level(speech)
    assert _level() == _level(quiet) == pytest.approx(0.06)


@pytest.mark.parametrize("other", [0.005, 0.3])
def test_another_speaker_is_followed(other: float) -> None:
    """A louder one within seconds, one 26 dB quieter within minutes."""
    before = _speech(30, 0.1)
    assert _level(before, _speech(600, other)) == pytest.approx(other, rel=0.25)


def _windows(blocks: list[np.ndarray], level: SpeechLevel | None) -> list[np.ndarray]:
    window = AudioWindow(BLOCK, 64_000, speech_level=level)
    return [window.push(block) for block in blocks]


def test_speech_after_a_silence_is_as_loud_as_before() -> None:
    """By its own deviation a window after nine blocks of silence is lifted threefold."""
    blocks = [*_speech(4.8, 0.1).reshape(-1, BLOCK), *np.zeros((9, BLOCK), np.int16)]
    blocks.append(blocks[9])
    plain = _windows(blocks, None)
    lifted = [np.std(w[-BLOCK:]) / np.std(w) for w in (plain[9], plain[-1])]
    assert lifted[1] / lifted[0] > 2.7
    carried = _windows(blocks, SpeechLevel(FRAME))
    steady = [np.std(carried[n][-BLOCK:]) for n in (9, -1)]
    assert steady[1] / steady[0] == pytest.approx(1.0, rel=0.1)


def test_a_window_that_goes_on_has_heard_what_it_is_given() -> None:
    blocks = list(_speech(4.8, 0.2).reshape(-1, BLOCK))
    one = AudioWindow(BLOCK, 64_000, speech_level=SpeechLevel(FRAME))
    for block in blocks[:9]:
        one.push(block)
    other = AudioWindow(BLOCK, 64_000, speech_level=SpeechLevel(FRAME))
    other.restore(np.concatenate(blocks[:9]))
    assert np.array_equal(one.push(blocks[9]), other.push(blocks[9]))
    one.reset()
    fresh = AudioWindow(BLOCK, 64_000, speech_level=SpeechLevel(FRAME))
    assert np.array_equal(one.push(blocks[0]), fresh.push(blocks[0]))
