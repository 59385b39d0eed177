"""A reply's sentences and their sound -> avatar_msgs. Headers are left empty; nothing here needs
torch."""

from __future__ import annotations

from avatar_msgs import msg as m
from avatar_nodes.mind.reply import Segment
from avatar_nodes.speaking.spoken_reply import SpeechRun
from avatar_nodes.wire.audio import audio_to_msg


def segment_to_msg(segment: Segment, *, language: str) -> m.ReplySegment:
    """A piece of a reply, or that the rest of it is not made; language: BCP 47."""
    return m.ReplySegment(
        turn=segment.turn, index=segment.index, text=segment.text, language=language,
        is_last=segment.is_last, cancelled=segment.cancelled,
    )  # fmt: skip


def speech_to_msg(speech: SpeechRun, *, sample_rate: int) -> m.AudioChunk:
    """Samples of a reply."""
    run = speech.run
    return audio_to_msg(
        run.samples, stream=speech.stream, sample_rate=sample_rate,
        first_sample=run.first_sample, end_of_stream=run.end_of_stream,
    )  # fmt: skip
