"""Cepstra against figures of python_speech_features 0.6 for the same sounds."""

import numpy as np
import pytest

from avatar_nodes.judging.mfcc import mfcc

SINE_FIRST = [
    16.9184, 22.8432, 15.951, 13.5397, 11.5827, 8.5827, 6.0107, 1.8052, -1.7781, -5.8553, -8.5358,
    -11.2578, -12.668,
]  # fmt: skip
SINE_LAST = [
    16.7431, 23.4241, 16.7467, 14.4947, 12.61, 9.5506, 6.7609, 2.5187, -1.0454, -4.6659, -6.983,
    -8.8615, -9.9065,
]  # fmt: skip


def test_a_tone_has_the_cepstra_of_the_package_syncnet_was_trained_with() -> None:
    found = mfcc(np.round(8000 * np.sin(np.arange(1000) * 0.05)))
    assert found.shape == (5, 13)
    np.testing.assert_allclose(found[0], SINE_FIRST, atol=1e-4)
    np.testing.assert_allclose(found[-1], SINE_LAST, atol=1e-4)


def test_silence_is_finite_and_nothing_is_refused() -> None:
    assert np.isfinite(mfcc(np.zeros(800))).all()
    with pytest.raises(ValueError, match="expected"):
        mfcc(np.zeros(0))
