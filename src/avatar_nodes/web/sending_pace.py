"""When sound leaves: evenly, though it comes in bursts of a whole frame."""

from __future__ import annotations

_MARGIN_S = 0.02
_MOST_BEHIND_S = 0.08
_LOST_S = 0.5
_STEP_S = 0.001


class SendingPace:
    """A browser takes the time at which a packet left for the time at which it was to be heard
    (so aiortc's sender reports say), and keeps sound and picture together by it. It also holds
    sound back as long as the largest gap between packets. Both want packets that leave when due.

    The pace begins with the first packet and follows slowly, by a millisecond a packet, where those
    that send it do so sooner or later for good.
    """

    def __init__(self) -> None:
        self._begun_s: float | None = None

    def wait_s(self, position_s: float, now_s: float, *, behind_s: float) -> float:
        """How long the packet of this place in the stream is to wait; 0 for one that is late.

        behind_s: how much sound waits behind it already.
        """
        if self._begun_s is None or abs(self._begun_s + position_s - now_s) > _LOST_S:
            self._begun_s = now_s + _MARGIN_S - position_s
        early_s = self._begun_s + position_s - now_s
        if early_s < 0:
            self._begun_s += _STEP_S
        elif behind_s > _MOST_BEHIND_S:
            self._begun_s -= _STEP_S
        return max(0.0, early_s)
