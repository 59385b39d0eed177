"""Is there an echo: rooms, headsets, and a headset that is taken off."""

from __future__ import annotations

import numpy as np
import pytest
from support.visitor import RATE, added, echo_of, say, silence, with_noise

from avatar_nodes.hearing.audio_processing import FRAME
from avatar_nodes.hearing.echo.presence import EchoPresence


@pytest.fixture(scope="module")
def avatar() -> np.ndarray:
    sentences = ("We open at nine and close at six.", "The ticket desk is in the hall.")
    return np.concatenate([silence(1.0), *(say(text, level=0.6) for text in sentences * 2)])


def watched(presence: EchoPresence, captured: np.ndarray, reference: np.ndarray) -> list[bool]:
    count = min(len(captured), len(reference)) // FRAME
    return [
        presence.update(captured[n * FRAME :][:FRAME], reference[n * FRAME :][:FRAME])
        for n in range(count)
    ]


@pytest.mark.parametrize("gain", [0.05, 0.3, 0.7])
@pytest.mark.parametrize("delay_s", [0.02, 0.12, 0.3])
def test_an_echo_in_a_room_is_there_all_the_time(
    avatar: np.ndarray, gain: float, delay_s: float
) -> None:
    captured = with_noise(echo_of(avatar, delay_s=delay_s, gain=gain))
    assert all(watched(EchoPresence(), captured, avatar))


@pytest.mark.parametrize("noise", [0.0, 20.0, 200.0])
def test_a_microphone_that_stays_quiet_hears_no_echo(avatar: np.ndarray, noise: float) -> None:
    quiet = with_noise(silence(len(avatar) / RATE), rms=noise)
    seen = watched(EchoPresence(), quiet, avatar)
    assert seen[: 2 * RATE // FRAME] == [True] * (2 * RATE // FRAME)
    assert not any(seen[4 * RATE // FRAME :])


def test_a_visitor_is_no_echo(avatar: np.ndarray) -> None:
    """Whoever speaks while the avatar does, the microphone on his head."""
    quiet = silence(len(avatar) / RATE)
    heard = with_noise(added(quiet, say("Where is the exit, please? I have to go now."), 5.0))
    assert not any(watched(EchoPresence(), heard, avatar)[4 * RATE // FRAME :])


def test_an_echo_that_comes_later_is_noticed(avatar: np.ndarray) -> None:
    presence = EchoPresence()
    quiet = with_noise(silence(len(avatar) / RATE))
    watched(presence, quiet, avatar)
    assert not presence.present
    seen = watched(presence, with_noise(echo_of(avatar, delay_s=0.1, gain=0.4)), avatar)
    assert all(seen[round(2.3 * RATE) // FRAME :])


def test_while_the_avatar_is_silent_nothing_is_decided() -> None:
    presence = EchoPresence()
    sound = with_noise(silence(6.0))
    assert all(watched(presence, sound, silence(6.0)))
