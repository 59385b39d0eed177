"""From where on a visitor's sound was not understood yet, should its listener die."""

from __future__ import annotations

from collections import deque

_NANOSECONDS = 1_000_000_000
_BEFORE_S = 0.5
"""Sound before speech that is told with it: a listener's own pre-roll, and its time to notice."""
_AFTER_S = 0.1
"""What follows the end of speech and is not silence yet."""
_SAME_TURN_S = 0.3
_OPEN_TURNS = 16


class Unheard:
    """Follows what was sent to a listener, and what came back of it.

    A turn without its final text was not understood, from its beginning on; without such a turn,
    only what follows the last sound judged. What was answered is not told again, and neither is
    sound with the avatar's own voice in it: another listener does not know what the avatar said.

    Args:
        sample_rate: of the sound [Hz].
        echo_s: how long after its stamps the avatar may be heard in the sound; 0: not at all.
        kept_s: seconds of sound for which it is known when they were sent.
    """

    def __init__(self, *, sample_rate: int, echo_s: float, kept_s: float) -> None:
        self._rate = sample_rate
        self._echo_ns = round(echo_s * _NANOSECONDS)
        self._kept = round(kept_s * sample_rate)
        self._sent: deque[tuple[int, int]] = deque()
        self._open: deque[tuple[int, int]] = deque(maxlen=_OPEN_TURNS)
        self._active = False
        self._floor = 0
        self._judged_ns: int | None = None
        self._avatar_ns: int | None = None

    def sent(self, first_sample: int, stamp_ns: int) -> None:
        """Sound from `first_sample` on goes out, captured at `stamp_ns`; what was sent of later
        samples counts no more."""
        while self._sent and self._sent[-1][1] >= first_sample:
            self._sent.pop()
        self._sent.append((stamp_ns, first_sample))
        while self._sent[0][1] < first_sample - self._kept:
            self._sent.popleft()

    def judged(self, *, active: bool, since_sample: int, stamp_ns: int) -> None:
        """The listener has judged the sound up to `stamp_ns`: since `since_sample` the visitor
        speaks (`active`), or is silent."""
        if active and not self._active:
            first = max(self._floor, since_sample - round(_BEFORE_S * self._rate))
            self._open.append((since_sample, first))
        elif not active:
            self._floor = since_sample + round(_AFTER_S * self._rate)
        self._active, self._judged_ns = active, stamp_ns

    def understood(self, start_ns: int) -> None:
        """The turn that began at `start_ns` has its final text, and so have those before it. One
        that did not begin in this sound (somebody wrote) counts for nothing."""
        start, near = self._sample_at(start_ns), _SAME_TURN_S * self._rate
        for place, (since, _) in enumerate(self._open):
            if abs(since - start) <= near:
                for _ in range(place + 1):
                    self._open.popleft()
                return

    def avatar_heard(self, end_ns: int) -> None:
        """The avatar speaks, to be heard until `end_ns`."""
        self._avatar_ns = end_ns

    def begin_again(self, first_sample: int) -> None:
        """Another listener is told everything from `first_sample` on, and nothing before it."""
        self._open.clear()
        self._active, self._floor, self._judged_ns = False, first_sample, None

    @property
    def first_sample(self) -> int:
        """Where a listener that comes anew has to begin."""
        if self._open:
            first = self._open[0][1]
        else:
            judged = self._floor
            if self._judged_ns is not None:
                judged = self._sample_at(self._judged_ns) - round(_BEFORE_S * self._rate)
            first = max(self._floor, judged)
        if self._avatar_ns is not None and self._echo_ns:
            first = max(first, self._sample_at(self._avatar_ns + self._echo_ns))
        return first

    def _sample_at(self, ns: int) -> int:
        """The sample captured at `ns`."""
        after: int | None = None
        for stamp, first in reversed(self._sent):
            if stamp <= ns:
                place = first + (ns - stamp) * self._rate // _NANOSECONDS
                return place if after is None else min(place, after)
            after = first
        return after or 0
