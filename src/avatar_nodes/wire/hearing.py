"""What is heard of a visitor: avatar_msgs <-> `avatar_nodes.hearing`. Headers are left empty."""

from __future__ import annotations

from avatar_msgs import msg as m
from avatar_nodes.hearing.listening import Activity
from avatar_nodes.hearing.sound_intake import SoundChunk
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.stamp import nanoseconds, stamp_of


def chunk_from_msg(msg: m.AudioChunk) -> SoundChunk:
    """The chunk that a message brings. Raises RefusedError."""
    return SoundChunk(
        msg.stream, msg.first_sample, audio_from_msg(msg), msg.sample_rate, msg.channels,
        captured_ns=nanoseconds(msg.header.stamp), over=msg.end_of_stream,
    )  # fmt: skip


def activity_to_msg(activity: Activity) -> m.SpeechActivity:
    """Whether the visitor speaks."""
    return m.SpeechActivity(
        stream=activity.stream, active=activity.active, probability=activity.probability,
        level_dbfs=activity.level_dbfs, since_sample=activity.since_sample,
        during_playback=activity.during_playback,
    )  # fmt: skip


def utterance_to_msg(
    turn: int, text: str, *, is_final: bool, start_ns: int, end_ns: int, language: str,
    confidence: float = -1.0,
) -> m.Utterance:  # fmt: skip
    """What the visitor said from `start_ns` to `end_ns` [ns since 1970]; confidence: 0..1, -1 where
    nobody knows it.
    """
    return m.Utterance(
        turn=turn, text=text, is_final=is_final, confidence=confidence, language=language,
        start=stamp_of(start_ns), end=stamp_of(end_ns),
    )  # fmt: skip
