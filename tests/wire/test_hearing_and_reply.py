"""What is heard, and what is replied, as messages."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")

from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.hearing.listening import Activity
from avatar_nodes.mind.reply import Segment
from avatar_nodes.sound.sample_sender import SampleRun
from avatar_nodes.speaking.spoken_reply import SpeechRun
from avatar_nodes.wire.audio import audio_from_msg, audio_to_msg
from avatar_nodes.wire.hearing import activity_to_msg, chunk_from_msg, utterance_to_msg
from avatar_nodes.wire.reply import segment_to_msg, speech_to_msg
from avatar_nodes.wire.stamp import nanoseconds, stamp_of

SAMPLES = np.arange(-5, 5, dtype=np.int16)


def test_a_chunk_keeps_its_place_and_time() -> None:
    msg = audio_to_msg(
        SAMPLES, stream="desk", sample_rate=8000, first_sample=640, end_of_stream=True
    )
    msg.header.stamp = stamp_of(1_700_000_000_123_456_789)
    chunk = chunk_from_msg(msg)
    assert (chunk.stream, chunk.first_sample, chunk.over) == ("desk", 640, True)
    assert (chunk.sample_rate, chunk.channels) == (8000, 1)
    assert chunk.captured_ns == 1_700_000_000_123_456_789
    assert np.array_equal(chunk.samples, SAMPLES)
    msg.channels = 0
    with pytest.raises(RefusedError):
        chunk_from_msg(msg)


def test_activity_and_utterance() -> None:
    active = activity_to_msg(Activity("desk", True, 0.75, -20.5, 7, 9, True))
    assert (active.stream, active.active, active.since_sample) == ("desk", True, 7)
    assert (active.probability, active.level_dbfs, active.during_playback) == (0.75, -20.5, True)
    said = utterance_to_msg(
        3, "Good morning.", is_final=True, start_ns=5, end_ns=2_000_000_007, language="en"
    )
    assert (said.turn, said.text, said.is_final) == (3, "Good morning.", True)
    assert (said.language, said.confidence) == ("en", -1.0)
    assert (nanoseconds(said.start), nanoseconds(said.end)) == (5, 2_000_000_007)


def test_sentences_and_their_sound() -> None:
    cut = segment_to_msg(Segment(4, 2, "Well.", is_last=True, cancelled=True), language="de")
    assert (cut.turn, cut.index, cut.text, cut.language) == (4, 2, "Well.", "de")
    assert cut.is_last and cut.cancelled
    speech = SpeechRun(4, "turn-4", SampleRun(100, SAMPLES, end_of_stream=True))
    msg = speech_to_msg(speech, sample_rate=16000)
    assert (msg.stream, msg.sample_rate, msg.first_sample) == ("turn-4", 16000, 100)
    assert msg.end_of_stream and np.array_equal(audio_from_msg(msg), SAMPLES)
