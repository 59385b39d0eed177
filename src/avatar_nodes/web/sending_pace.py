"""Paces sound and picture evenly, though they come in bursts and at odd times."""

from __future__ import annotations

_MARGIN_S = 0.06
_MOST_BEHIND_S = 0.12
_LOST_S = 0.5
_STEP_S = 0.001


class SendingPace:
    """A browser takes the time at which a packet left for the time at which it was to be heard or
    seen (so aiortc's sender reports say), and keeps sound and picture together by it. It also holds
    both back as long as the largest gap between packets. Both want packets that leave when due.

    The pace begins with the first packet, which waits a margin, so that packets that come later
    than usual are still in time. It follows slowly, by a millisecond a packet, where the sender is
    sooner or later for good.
    """

    def __init__(self) -> None:
        self._begun_s: float | None = None

    def picture_waits_s(self, position_s: float, now_s: float) -> float:
        """Time to wait for the picture at this place in the stream; 0 for one that is late."""
        return max(0.0, self._early_s(position_s, now_s))

    def sound_waits_s(self, position_s: float, now_s: float, *, behind_s: float) -> float:
        """The same for a packet of sound, which the pace also follows.

        behind_s: how much sound waits behind it already.
        """
        early_s = self._early_s(position_s, now_s)
        if early_s < 0:
            self._move(_STEP_S)
        elif behind_s > _MOST_BEHIND_S:
            self._move(-_STEP_S)
        return max(0.0, early_s)

    def _early_s(self, position_s: float, now_s: float) -> float:
        if self._begun_s is None or abs(self._begun_s + position_s - now_s) > _LOST_S:
            self._begun_s = now_s + _MARGIN_S - position_s
        return self._begun_s + position_s - now_s

    def _move(self, by_s: float) -> None:
        self._begun_s = (self._begun_s or 0.0) + by_s
