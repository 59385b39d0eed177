"""Puts together the timeline of each turn from what the nodes of a conversation publish."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from avatar_nodes.speaking.turn_stream import turn_of
from avatar_nodes.timeline.turn_timeline import TurnTimeline

_SILENCES = 64
_TURNS_OPEN = 16
_TURNS_CLOSED = 256
_FRAMES_HEARD = 64


@dataclass
class _Turn:
    """What is known of one turn."""

    seen: int
    """When it was heard of last [ns]."""
    times: dict[str, int] = field(default_factory=dict)
    shown: bool = False
    """It was the turn of the avatar's state."""
    cancelled: bool = False
    closes_at: int | None = None
    end_sample: int | None = None
    """Samples of its speech, once that has ended."""
    next_sample: int = 0
    """Samples of its speech that are in blocks."""
    last_frame: bytes = b""
    """The last frame's sound that is no silence, of the newest of those blocks."""
    frames: dict[bytes, int] = field(default_factory=dict)
    """Sound of each frame of its blocks -> place in the block."""
    heard_last: int = 0
    """When its newest frame was heard [ns]."""
    heard_end: bool = False


class TurnObserver:
    """Takes what happens in any order, and from any number of turns at a time; gives timelines.

    Whether a frame was presented is told by its sound: the presenter publishes exactly what the
    blocks carry, frame by frame. The same words may sound the same twice, bit for bit, so a frame
    is of one turn only, and of none whose sound was made after it was heard. All times are
    nanoseconds since 1970.

    Args:
        frame_samples: samples of a frame.
        frame_ns: duration of a frame [ns].
        settle_ns: how long a turn stays open that the avatar has left before its last frame was
            heard [ns].
        cut_ns: the same for one that was cut short [ns].
        patience_ns: a turn of which nothing is heard for so long is over [ns].
    """

    def __init__(
        self,
        *,
        frame_samples: int,
        frame_ns: int,
        settle_ns: int = 3_000_000_000,
        cut_ns: int = 1_000_000_000,
        patience_ns: int = 60_000_000_000,
    ) -> None:
        self._frame_samples = frame_samples
        self._frame_ns = frame_ns
        self._settle_ns = settle_ns
        self._cut_ns = cut_ns
        self._patience_ns = patience_ns
        self._turns: dict[int, _Turn] = {}
        self._closed: deque[int] = deque(maxlen=_TURNS_CLOSED)
        self._silences: dict[tuple[str, int], int] = {}
        # Frames that no turn has claimed yet: a frame may be known before its block is.
        self._heard: deque[tuple[bytes, int]] = deque(maxlen=_FRAMES_HEARD)
        self._told: dict[int, TurnTimeline] = {}
        self._news: list[TurnTimeline] = []

    @property
    def open(self) -> int:
        """Turns that are not over."""
        return len(self._turns)

    def news(self) -> list[TurnTimeline]:
        """Timelines that have a new milestone, and those of turns that are over, since the last
        call."""
        for number, turn in list(self._turns.items()):
            if turn.times.get("utterance_ready") or turn.times.get("first_sound"):
                self._tell(self._timeline(number, turn))
        news, self._news = self._news, []
        return news

    def activity(self, stream: str, *, active: bool, since_sample: int, stamp: int) -> None:
        """Whether the visitor speaks; `stamp`: capture time of the last sample judged."""
        if not active:
            first = self._silences.get((stream, since_sample), stamp)
            self._silences[stream, since_sample] = min(first, stamp)
            if len(self._silences) > _SILENCES:
                del self._silences[min(self._silences, key=self._silences.__getitem__)]

    def utterance(
        self, turn: int, *, is_final: bool, has_words: bool, start: int, end: int, stamp: int
    ) -> None:
        """What was recognised; a final one without words is no turn."""
        known = self._turn(turn, stamp) if is_final else None
        if known is None:
            return
        if not has_words:
            self._forget(turn)
            return
        known.times |= {"speech_started": start, "speech_ended": end}
        self._first(known, "utterance_ready", stamp)

    def intent(self, turn: int, *, stamp: int) -> None:
        """What the reasoner decided."""
        self._first(self._turn(turn, stamp), "first_token", stamp)

    def segment(self, turn: int, *, has_words: bool, stamp: int) -> None:
        """A sentence of the reply."""
        if has_words:
            self._first(self._turn(turn, stamp), "first_segment", stamp)

    def speech(
        self, stream: str, *, first_sample: int, count: int, end_of_stream: bool, stamp: int
    ) -> None:
        """Synthesised samples."""
        known = self._turn(turn_of(stream), stamp)
        if known is None:
            return
        if count:
            self._first(known, "first_sound", stamp)
            self._claim_heard()
        if end_of_stream:
            known.end_sample = max(known.end_sample or 0, first_sample + count)
            self._look_for_end(known)

    def block(self, stream: str, *, samples: np.ndarray, next_sample: int, stamp: int) -> None:
        """A block was issued with sound of `stream` (int16 [n]) up to `next_sample`."""
        known = self._turn(turn_of(stream), stamp)
        if known is None:
            return
        self._first(known, "first_block", stamp)
        newest = next_sample >= known.next_sample
        known.next_sample = max(known.next_sample, next_sample)
        before = known.last_frame
        for place, first in enumerate(range(0, len(samples), self._frame_samples)):
            frame = samples[first : first + self._frame_samples]
            if frame.any():
                sound = self._sound(frame)
                known.frames.setdefault(sound, place)
                known.last_frame = sound if newest else known.last_frame
        known.heard_end = known.heard_end and known.last_frame == before
        self._claim_heard()
        self._look_for_end(known)

    def heard(self, samples: np.ndarray, *, stamp: int) -> None:
        """The presenter has played a frame's sound (int16 [frame_samples]) at `stamp`."""
        if samples.any():
            sound = self._sound(samples)
            if not self._claim(sound, stamp):
                self._heard.append((sound, stamp))

    def cancelled(self, turn: int, *, stamp: int) -> None:
        """The reply of this turn, and those before it, were dropped; 0: what is of no turn."""
        for number, known in self._turns.items():
            if number <= turn and not known.times.get("reply_ended"):
                known.cancelled = True
                known.closes_at = stamp + self._cut_ns

    def state(self, turn: int, *, stamp: int) -> None:
        """The avatar is in this turn; 0: in none."""
        for number, known in self._turns.items():
            if number == turn:
                known.shown = True
                known.seen = max(known.seen, stamp)
                if not known.cancelled:
                    known.closes_at = None
            elif known.shown and known.closes_at is None:
                known.closes_at = stamp + self._settle_ns

    def tick(self, now: int) -> None:
        """Close what is over."""
        for number, known in list(self._turns.items()):
            due = known.closes_at is not None and now >= known.closes_at
            done = bool(known.times.get("reply_ended"))
            if done or due or now - known.seen > self._patience_ns:
                self._close(number, known)

    def _turn(self, number: int | None, stamp: int) -> _Turn | None:
        """The turn's record, begun if it is new; None: it is none, or over."""
        if not number or number in self._closed:
            return None
        known = self._turns.get(number)
        if known is None:
            known = self._turns[number] = _Turn(seen=stamp)
            if len(self._turns) > _TURNS_OPEN:
                oldest = min(self._turns)
                self._close(oldest, self._turns[oldest])
        known.seen = max(known.seen, stamp)
        return self._turns.get(number)

    def _claim_heard(self) -> None:
        """Look again whose the frames are that nobody has claimed."""
        left = [heard for heard in self._heard if not self._claim(*heard)]
        if len(left) < len(self._heard):
            self._heard = deque(left, maxlen=_FRAMES_HEARD)

    def _claim(self, sound: bytes, stamp: int) -> bool:
        """Give a frame that was heard to the newest turn that can have made it; false: there is
        none, or none yet."""
        for number in sorted(self._turns, reverse=True):
            known = self._turns[number]
            place, made = known.frames.get(sound), known.times.get("first_sound")
            if place is None or made is None or stamp < made:
                continue
            known.seen = max(known.seen, stamp)
            self._first(known, "first_frame", stamp - place * self._frame_ns)
            known.heard_last = max(known.heard_last, stamp)
            known.heard_end = known.heard_end or sound == known.last_frame
            self._look_for_end(known)
            return True
        return False

    def _sound(self, frame: np.ndarray) -> bytes:
        """A whole frame's samples as bytes; what is missing at a stream's end is silence."""
        missing = self._frame_samples - len(frame)
        padded = np.pad(frame, (0, missing)) if missing > 0 else frame
        return np.ascontiguousarray(padded, np.int16).tobytes()

    def _first(self, known: _Turn | None, milestone: str, stamp: int) -> None:
        if known is not None:
            known.times[milestone] = min(stamp, known.times.get(milestone) or stamp)

    def _look_for_end(self, known: _Turn) -> None:
        all_issued = known.end_sample is not None and known.next_sample >= known.end_sample
        if all_issued and known.heard_end and not known.cancelled:
            known.times["reply_ended"] = known.heard_last

    def _timeline(self, number: int, known: _Turn) -> TurnTimeline:
        times: dict[str, Any] = dict(known.times)
        begun, ready = times.get("speech_ended", 0), times.get("utterance_ready", 0)
        silences = [stamp for stamp in self._silences.values() if begun <= stamp <= ready]
        if silences and ready:
            times["turn_detected"] = max(silences)
        return TurnTimeline(number, **times)

    def _close(self, number: int, known: _Turn) -> None:
        if known.cancelled or not known.times.get("reply_ended"):
            known.times["reply_ended"] = known.heard_last
        timeline = self._timeline(number, known)
        self._forget(number)
        if timeline.utterance_ready or timeline.first_sound:
            self._news.append(replace(timeline, interrupted=known.cancelled, over=True))

    def _forget(self, number: int) -> None:
        self._turns.pop(number, None)
        self._told.pop(number, None)
        self._closed.append(number)

    def _tell(self, timeline: TurnTimeline) -> None:
        if self._told.get(timeline.turn) != timeline:
            self._told[timeline.turn] = timeline
            self._news.append(timeline)
