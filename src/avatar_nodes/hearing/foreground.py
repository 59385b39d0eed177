"""Tells the visitor from a television or a song behind him, by level and by the breath he takes."""

from __future__ import annotations

import math
from collections import deque

from avatar_nodes.sound.audio_file import GRAPH_RATE

_BELOW_DB = 12.0
"""So much quieter than the loudest of a turn is somebody else. People's own words fall below it for
0.2 s at most (measured on 25 recordings)."""
_ABOVE_DB = 6.0
"""So much louder than the background somebody else has to be."""
_FADE_DB = 2.0
"""The loudest counts less by so much each second, for who turns away."""
_HOLD_S, _SURE_S = 0.25, 0.4
"""How long a loud sound counts; how long the background has to go on within a turn until it is
taken for such: the detector's own probability falls late."""
_BREATH_S, _ENDLESS_S = 0.2, 12.0
"""Nobody speaks so long without a pause; the longest measured was 6.7 s, of a novel read aloud."""
_KNOWN_S = 1.0
_KEPT_S, _SOON_S = 5.0, 1.5


class Foreground:
    """Judges windows of sound, one after another.

    Within a turn, what stays far below its loudest is the background, and begins no turn of its own
    until it was silent for five seconds (1.5 s if it was heard for less than a second). Where there
    is no background, loudness plays no part.
    """

    _behind_db: float
    _behind_s: float

    def __init__(self) -> None:
        self.restart()

    @property
    def endless(self) -> bool:
        """The turn goes on without a breath for longer than anybody speaks."""
        return self._unbroken_s > _ENDLESS_S

    def restart(self) -> None:
        """Another sound begins: nothing is known of it."""
        self._levels: deque[float] = deque()
        self._loudest_db = -math.inf
        self._unbroken_s = self._pause_s = self._below_s = 0.0
        self._forget_background()

    def passes(self, samples: int, level_db: float, *, speech: bool, in_turn: bool) -> bool:
        """Whether a window of so many samples may count as the visitor's speech; `speech`: it
        sounds like anybody's."""
        seconds = samples / GRAPH_RATE
        self._levels.append(level_db)
        while len(self._levels) * seconds > _HOLD_S:
            self._levels.popleft()
        own = speech and self._is_own(max(self._levels), seconds, in_turn=in_turn)
        self._below_s = self._below_s + seconds if speech and not own else 0.0
        self._breathe(seconds, own and in_turn)
        if speech and not own and (self._below_s >= _SURE_S or not in_turn):
            self._behind_db = max(self._behind_db - _FADE_DB * seconds, max(self._levels))
            self._behind_s += seconds
            self._silent_s = 0.0
        elif not speech:
            self._silent_s += seconds
            briefly = self._behind_s < _KNOWN_S or self._loudest_db == math.inf
            if self._silent_s > (_SOON_S if briefly else _KEPT_S):
                self._forget_background()
        return own or not speech or (in_turn and self._below_s < _SURE_S)

    def ignore(self) -> None:
        """What the turn consists of is the background, until it pauses."""
        self._behind_db, self._behind_s, self._silent_s = self._loudest_db, 1e-3, 0.0
        self._loudest_db, self._unbroken_s = math.inf, 0.0

    def _is_own(self, held_db: float, seconds: float, *, in_turn: bool) -> bool:
        if in_turn:
            self._loudest_db = max(self._loudest_db - _FADE_DB * seconds, held_db)
            return held_db >= self._loudest_db - _BELOW_DB
        if self._behind_s == 0.0:
            self._loudest_db = held_db
            return True
        if held_db >= self._behind_db + _ABOVE_DB and self._loudest_db == math.inf:
            self._loudest_db = held_db
        return held_db >= min(self._behind_db + _ABOVE_DB, self._loudest_db - _BELOW_DB)

    def _breathe(self, seconds: float, speaks: bool) -> None:
        self._pause_s = 0.0 if speaks else self._pause_s + seconds
        self._unbroken_s = 0.0 if self._pause_s >= _BREATH_S else self._unbroken_s + seconds

    def _forget_background(self) -> None:
        self._behind_db, self._behind_s, self._silent_s = -math.inf, 0.0, 0.0
