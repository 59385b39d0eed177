"""Sound as other voices, rooms and microphones would give it."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_nodes.training.data.microphones import heard
from avatar_nodes.world.speech import synthesise

pytest.importorskip("pedalboard", reason="no pedalboard here: it comes with the training extra")

RATE = 16_000


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return np.pad(synthesise("Please bring the paper bag to Mary.").samples, RATE // 2)


def changed(sound: np.ndarray, seed: int, **others: object) -> np.ndarray:
    return heard(sound, np.random.default_rng(seed), sample_rate=RATE, **others)  # type: ignore[arg-type]


def lag_s(one: np.ndarray, other: np.ndarray) -> float:
    """By how much the loudness of `other` comes later, to 2 ms."""
    step, most = RATE // 500, 50

    def track(samples: np.ndarray) -> np.ndarray:
        whole = samples[: len(samples) // step * step].reshape(-1, step)
        loud = np.sqrt(np.square(whole).mean(axis=1))
        return loud - loud.mean()

    a, b = track(one), track(other)
    fits = [
        np.dot(a[most:-most], np.roll(b, -shift)[most:-most]) for shift in range(-most, most + 1)
    ]
    return (int(np.argmax(fits)) - most) / 500


def test_nothing_is_later_or_earlier(sound: np.ndarray) -> None:
    lags = [lag_s(sound, changed(sound, seed, others=[sound[::-1]])) for seed in range(12)]
    assert max(map(abs, lags)) <= 0.012, lags
    assert np.median(lags) == 0.0


def test_each_time_another_sound_of_the_same_kind(sound: np.ndarray) -> None:
    for seed in range(6):
        one, again, other = (changed(sound, s) for s in (seed, seed, seed + 100))
        assert one.dtype == np.float32 and one.shape == sound.shape
        assert np.array_equal(one, again)
        assert not np.array_equal(one, other)
        assert 0.02 < np.abs(one).max() <= 1.0


def test_a_silent_clip_stays_quiet() -> None:
    """Nobody speaks: what is left is a room's noise, and no mouth is to open."""
    for seed in range(8):
        quiet = changed(np.zeros(RATE, np.float32), seed)
        assert 0.0 < np.abs(quiet).max() < 0.1
