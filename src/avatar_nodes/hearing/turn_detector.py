"""Finds turns in a row of speech probabilities: where the visitor begins and has ended.

Only probabilities count, never loudness: what is too quiet beside the visitor comes as 0
(`foreground.py`). Times are sample indices at 16 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from avatar_nodes.hearing.settings import ListenerSettings
from avatar_nodes.sound.audio_file import GRAPH_RATE

EndReason = Literal["silence", "complete", "length", "gap", "end"]

_CANDIDATE_GAP_S = 0.15
"""A beginning that is interrupted for so long was none."""


@dataclass(frozen=True)
class TurnBegan:
    """The visitor has begun to speak."""

    first_sample: int
    """Where the turn's sound begins, pre-roll included."""
    speech_start: int
    """First sample of the first window of speech."""
    too_short: bool
    """True: too little speech for words so far."""


@dataclass(frozen=True)
class TurnContinued:
    """The turn goes on by one window."""

    end_sample: int
    """Index after the window."""
    speech_end: int
    """Index after the last window of speech."""
    too_short: bool
    """True: too little speech for words so far."""


@dataclass(frozen=True)
class TurnEnded:
    """The turn is over."""

    speech_start: int
    speech_end: int
    """Index after the last window of speech."""
    end_sample: int
    """Index after the last window judged; the silence that ended the turn is before it."""
    too_short: bool
    """True: too little speech for words."""
    reason: EndReason
    """`silence`, `complete` (a shorter silence after a sentence that is known), `length` (longer
    than allowed, or than anybody speaks without a breath), `gap` (sound is missing) or `end`
    (of the stream)."""


TurnEvent = TurnBegan | TurnContinued | TurnEnded


class TurnDetector:
    """Turns windows of probability into turns; every turn that begins ends, once."""

    def __init__(self, settings: ListenerSettings | None = None) -> None:
        self.settings = settings or ListenerSettings()
        self._floor = 0
        self._next = 0
        self._speech = 0
        self._clear()

    @property
    def speaking(self) -> bool:
        """True between a turn's beginning and its end."""
        return self._open

    @property
    def _too_short(self) -> bool:
        return self._speech < self.settings.min_utterance_s * GRAPH_RATE

    def needed(self, threshold: float | None = None) -> float:
        """The probability from which the next window is speech; `threshold`: see `push`."""
        settings = self.settings
        threshold = settings.vad_threshold if threshold is None else threshold
        below = settings.vad_threshold - settings.vad_release if self._open else 0.0
        return threshold - below

    def push(
        self, first_sample: int, samples: int, probability: float, *, threshold: float | None = None
    ) -> list[TurnEvent]:
        """Judge the window of `samples` samples that begins at `first_sample`.

        Args:
            threshold: for this window, instead of the settings'.
        """
        speech = probability >= self.needed(threshold)
        self._next = first_sample + samples
        if self._open:
            return self._go_on(samples, speech)
        if speech:
            self._speech_end = self._next
            if self._speech == 0:
                self._start = first_sample
            self._speech += samples
            if self._speech >= self.settings.min_speech_s * GRAPH_RATE:
                return self._begin()
        elif self._speech and self._next - self._speech_end >= _CANDIDATE_GAP_S * GRAPH_RATE:
            self._speech = 0
        return []

    def wait(self, silence_s: float) -> None:
        """The present pause ends the turn once it is so long, instead of the settings' length."""
        self._silence_s = silence_s

    def stop(self, reason: EndReason) -> list[TurnEvent]:
        """End the open turn, if there is one, and forget what led to the next."""
        events: list[TurnEvent] = [self._end(reason)] if self._open else []
        self._clear()
        return events

    def restart(self, first_sample: int) -> None:
        """Sound begins anew at `first_sample`; nothing before it can be pre-roll."""
        self._clear()
        self._floor = self._next = first_sample

    def _begin(self) -> list[TurnEvent]:
        self._open, self._silence_s = True, self.settings.silence_s
        first = max(self._floor, self._start - round(self.settings.pre_roll_s * GRAPH_RATE))
        return [TurnBegan(first, self._start, self._too_short)]

    def _go_on(self, samples: int, speech: bool) -> list[TurnEvent]:
        if speech:
            self._speech += samples
            self._speech_end = self._next
            self._silence_s = self.settings.silence_s
        events: list[TurnEvent] = [TurnContinued(self._next, self._speech_end, self._too_short)]
        if self._next - self._speech_end >= self._silence_s * GRAPH_RATE:
            events.append(self._end("silence"))
        elif self._next - self._start >= self.settings.max_utterance_s * GRAPH_RATE:
            events.append(self._end("length"))
        return events

    def _end(self, reason: EndReason) -> TurnEnded:
        ended = TurnEnded(self._start, self._speech_end, self._next, self._too_short, reason)
        self._floor = self._next
        self._open, self._speech = False, 0
        return ended

    def _clear(self) -> None:
        self._open, self._silence_s = False, self.settings.silence_s
        self._speech = 0
        self._start = self._speech_end = self._next
