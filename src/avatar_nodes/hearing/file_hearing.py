"""Lets the avatar's ears hear a sound file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatar_nodes.hearing.recognition.recogniser import Recogniser
from avatar_nodes.hearing.turn_detector import (
    TurnBegan,
    TurnContinued,
    TurnDetector,
    TurnEnded,
    TurnEvent,
)
from avatar_nodes.hearing.voice_activity import VoiceActivity
from avatar_nodes.sound.audio_file import GRAPH_RATE, read_audio_file

_TAIL = round(0.2 * GRAPH_RATE)
_AFTER = np.zeros(GRAPH_RATE, np.int16)
"""Silence after the file, in which the last turn ends."""


@dataclass(frozen=True)
class HeardTurn:
    """A turn of a file."""

    start_s: float
    end_s: float
    """Where speech begins and ends in the file."""
    text: str
    """Empty: no words."""
    confidence: float
    language: str
    took_s: float
    """Time from the turn's last sound to its text, as the clock has it."""
    cpu_s: float
    """Processor time of this process for the whole turn."""


def hear_file(
    path: str | Path, *, recogniser: Recogniser, voice: VoiceActivity
) -> Iterator[HeardTurn]:
    """The turns of a file, found as the listener finds them, one by one.

    Raises:
        AudioFileError: the file cannot be read.
    """
    sound = np.concatenate([read_audio_file(path), _AFTER])
    detector = TurnDetector()
    voice.reset()
    first = sent = 0
    for stop in range(voice.window_samples, len(sound) + 1, voice.window_samples):
        probability = voice.probability(sound[first:stop])
        for event in detector.push(first, stop - first, probability):
            if isinstance(event, TurnBegan):
                sent, began_s = event.first_sample, time.process_time()
            end = min(_end_of(event) + _TAIL, stop)
            recogniser.push(sound[sent:end])
            sent = max(sent, end)
            if isinstance(event, TurnEnded):
                yield _heard(event, recogniser, began_s)
        first = stop


def _end_of(event: TurnEvent) -> int:
    """Where its speech ends."""
    if isinstance(event, TurnContinued | TurnEnded):
        return event.speech_end
    return event.speech_start


def _heard(turn: TurnEnded, recogniser: Recogniser, began_s: float) -> HeardTurn:
    asked_s = time.perf_counter()
    heard = recogniser.finish()
    return HeardTurn(
        start_s=turn.speech_start / GRAPH_RATE,
        end_s=turn.speech_end / GRAPH_RATE,
        text="" if turn.too_short else heard.text,
        confidence=heard.confidence,
        language=heard.language,
        took_s=time.perf_counter() - asked_s,
        cpu_s=time.process_time() - began_s,
    )
