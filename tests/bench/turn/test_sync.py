"""A mouth that lags behind its sound, moves without it, or stands still is noticed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS here")

from rclpy.serialization import serialize_message

from avatar_nodes.bench.turn.mouth_watch import MouthWatch
from avatar_nodes.bench.turn.sync import SyncWatch
from avatar_nodes.bench.turn.witness import TurnWitness
from avatar_nodes.wire.audio import audio_to_msg
from avatar_nodes.wire.image import image_to_msg
from avatar_nodes.wire.stamp import stamp_of

FRAME = 40_000_000
REPLIES, REPLY, SILENCE = 8, 100, 50


def watch(
    *, lag: int, from_reply: int = 0, own: bool = False
) -> tuple[SyncWatch, dict[int, float]]:
    """Eight replies; from one on the picture is `lag` frames late, or has a life of its `own`."""
    rng = np.random.default_rng(1)
    found, apertures = SyncWatch(), {}
    for reply in range(REPLIES):
        opening = np.convolve(rng.random(REPLY + 2), np.ones(3) / 3.0, "valid") ** 2
        wrong = reply >= from_reply
        seen = np.roll(opening, lag) if wrong else opening
        seen = rng.random(REPLY) if wrong and own else seen
        for place in range(REPLY + SILENCE):
            stamp = ((REPLY + SILENCE) * reply + place) * FRAME
            speaks = place < REPLY
            level = round(20_000 * opening[place] ** 2) + 1 if speaks else 0
            found.sound(stamp, np.full(640, level, np.int16))
            apertures[stamp] = float(seen[place]) if speaks else 0.01
    return found, apertures


def test_what_is_in_sync_stays_so() -> None:
    found, apertures = watch(lag=0)
    summary = found.summary(apertures)
    assert (summary["stretches"], summary["lag_frames"], summary["lag_frames_worst"]) == (8, 0, 0)
    assert summary["correlation_worst"] > 0.95 and summary["frames_held"] == 0
    for name in ("first", "second", "third", "fourth"):
        assert summary[f"{name} quarter"]["stretches"] == 2


@pytest.mark.parametrize("lag", [5, -7])
def test_a_picture_that_comes_late_or_early_is_noticed_in_its_quarter(lag: int) -> None:
    found, apertures = watch(lag=lag, from_reply=6)
    summary = found.summary(apertures)
    lags = [summary[f"{q} quarter"]["lag_frames"] for q in ("first", "second", "third", "fourth")]
    assert lags == [0, 0, 0, lag]
    assert (summary["lag_frames_p50"], summary["lag_frames_worst"]) == (0.0, lag)


def test_a_mouth_with_a_life_of_its_own_is_noticed() -> None:
    found, apertures = watch(lag=0, from_reply=6, own=True)
    summary = found.summary(apertures)
    assert summary["correlation_worst"] < 0.5 < 0.95 < summary["correlation_p50"]
    assert summary["fourth quarter"]["correlation_p50"] < 0.5


def test_short_and_unseen_speech_says_nothing() -> None:
    found = SyncWatch()
    for place in range(200):
        found.sound(place * FRAME, np.full(640, 100 * (place < 40), np.int16))
    assert found.summary({})["stretches"] == 0
    assert found.summary({place * FRAME: 0.5 for place in range(200)})["stretches"] == 0
    assert SyncWatch().summary({}) == {"stretches": 0, "frames_held": 0}


def test_the_witness_counts_pictures_that_were_held() -> None:
    witness = TurnWitness("/avatar", mouth=MouthWatch())
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (3, 256, 256, 3), dtype=np.uint8)
    for frame, number in enumerate((0, 1, 1, 1, 2, 1)):
        stamp = stamp_of(frame * FRAME + 1)
        image = image_to_msg(pictures[number], frame_id="avatar")
        sound = audio_to_msg(
            np.zeros(640, np.int16), stream="a", sample_rate=16000, first_sample=640 * frame
        )
        image.header.stamp = sound.header.stamp = stamp
        witness._on_image(serialize_message(image))
        witness._on_audio(sound)
    found = witness.sync()
    assert found is not None and found["pairs"] == 6
    assert found["lip_sync"]["frames_held"] == 2
