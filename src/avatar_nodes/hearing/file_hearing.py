"""Lets the avatar's ears hear a sound file."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatar_nodes.hearing.audio_processing import AudioProcessing
from avatar_nodes.hearing.echo.echo import EchoControl
from avatar_nodes.hearing.listening import Listening
from avatar_nodes.hearing.recognition.recogniser import Recogniser, RecogniserError
from avatar_nodes.hearing.recognition.worker import Heard
from avatar_nodes.hearing.settings import ListenerSettings
from avatar_nodes.hearing.sound_intake import SoundChunk
from avatar_nodes.hearing.turn_end import TurnEnd
from avatar_nodes.hearing.voice_activity import VoiceActivity
from avatar_nodes.sound.audio_file import GRAPH_RATE, read_audio_file

_BEFORE_S = 0.5
"""Silence before a file, as a microphone has it: Whisper loses words that begin with the sound."""
_BEFORE = np.zeros(round(_BEFORE_S * GRAPH_RATE), np.int16)
_AFTER = np.zeros(2 * GRAPH_RATE, np.int16)
"""Silence after a file, in which its last turn ends."""
_CHUNK = GRAPH_RATE // 50
_BACKLOG_S = 120.0


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
    """Time that its text took in a pause, at most, as the clock has it."""
    cpu_s: float
    """Processor time of this process for the whole turn."""


def hear_files(
    paths: Sequence[Path],
    *,
    recogniser: Recogniser,
    voice: VoiceActivity,
    gain: AudioProcessing | None = None,
    turn_end: TurnEnd | None = None,
) -> Iterator[tuple[Path, HeardTurn]]:
    """The turns of files, as the listener hears them with its usual settings, one by one. The
    recogniser is closed in the end.

    Raises:
        AudioFileError: a file cannot be read. RecogniserError: recognition failed.
    """
    heard: deque[Heard] = deque()
    errors: list[str] = []
    listening = Listening(
        voice=voice,
        recogniser=recogniser,
        echo=EchoControl("none"),
        gain=gain,
        settings=ListenerSettings(interim_s=0.0, backlog_s=_BACKLOG_S),
        turn_end=turn_end,
        on_heard=heard.append,
        on_error=errors.append,
    )
    try:
        for number, path in enumerate(paths):
            for turn in _turns(listening, heard, f"file {number}", path):
                yield path, turn
            if errors:
                raise RecogniserError(errors[0])
    finally:
        listening.close()


def _turns(
    listening: Listening, heard: deque[Heard], stream: str, path: Path
) -> Iterator[HeardTurn]:
    sound = np.concatenate([_BEFORE, read_audio_file(path), _AFTER])
    before, began_s, took_s = listening.turn, time.process_time(), 0.0
    for first in range(0, len(sound), _CHUNK):
        part, at_ns = sound[first : first + _CHUNK], first * 1_000_000_000 // GRAPH_RATE
        over = first + len(part) == len(sound)
        listening.hear(SoundChunk(stream, first, part, GRAPH_RATE, 1, at_ns, over), now_ns=at_ns)
        if listening.turn != before:
            before, began_s = listening.turn, time.process_time()
        took_s = max(took_s, listening.catch_up())
        while heard:
            if (found := heard.popleft()).is_final:
                cpu_s = time.process_time() - began_s
                yield _turn(found, took_s + found.took_ms / 1000.0, cpu_s)
                took_s = 0.0


def _turn(heard: Heard, took_s: float, cpu_s: float) -> HeardTurn:
    return HeardTurn(
        start_s=max(0.0, heard.start_ns / 1e9 - _BEFORE_S),
        end_s=heard.end_ns / 1e9 - _BEFORE_S,
        text=heard.recognition.text,
        confidence=heard.recognition.confidence,
        language=heard.recognition.language,
        took_s=took_s,
        cpu_s=cpu_s,
    )
