"""Sends a source's samples as its consumer demands them, in real time or as fast as allowed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from avatar_nodes.sound.sources import AudioSource

_RESEND_S = 1.5
_STALL_S = 0.5
_LEAD_TRIES = 10


@dataclass(frozen=True)
class SampleRun:
    """Consecutive samples to be sent."""

    first_sample: int
    samples: np.ndarray
    """int16 [n]."""
    end_of_stream: bool


class SampleSender:
    """Keeps to the demand: sends from the first sample not received on, never beyond the limit.

    Samples that were sent and are still demanded after a while are sent again, and so is everything
    when the consumer goes back (it was restarted). A live source that has fallen behind is brought
    up to the present; the sound in between is lost, since nobody wants to see it late.

    Args:
        chunk_samples: samples of a run at most.
        realtime: let a source that is not live flow at the speed of its sound.
        lead_samples: samples that go out before any demand; sent again while none comes.
        live_lag_s: how far a live source may fall behind before it is brought up to the present.
    """

    def __init__(
        self,
        source: AudioSource,
        *,
        sample_rate: int,
        chunk_samples: int,
        realtime: bool,
        lead_samples: int = 0,
        live_lag_s: float = 0.5,
    ) -> None:
        self._source = source
        self._rate = sample_rate
        self._chunk = chunk_samples
        self._realtime = realtime and not source.live
        self._live_lag = round(live_lag_s * sample_rate)
        self._lead = lead_samples
        self._lead_tries = 0
        self._demanded = False
        self._next = 0
        self._limit = lead_samples
        self._reported = 0
        self._end_sent = False
        self._history: deque[tuple[float, int]] = deque()
        self._pace_from: tuple[float, int] | None = None
        self.resent = 0
        """How often samples were sent again."""
        self.skipped = 0
        """How often a live source was brought up to the present."""

    @property
    def next_sample(self) -> int:
        """Index of the sample that will be sent next."""
        return self._next

    def demand(self, next_sample: int, limit_sample: int, now: float) -> None:
        """Take what the consumer says it has (everything before `next_sample`) and allows."""
        first, self._demanded = not self._demanded, True
        if first and not self._lead:
            self._source.align(next_sample)
            self._go_to(next_sample)
        elif next_sample > self._next:
            self._go_to(next_sample)
        elif (
            limit_sample < self._limit
            or next_sample < self._reported
            or next_sample < self._sent_before(now - _RESEND_S)
        ):
            self.resent += next_sample < self._next
            self._go_to(next_sample)
        elif self._end_sent and next_sample == self._next:
            self._end_sent = not self._stale_end(now)
        self._limit = limit_sample
        self._reported = next_sample

    def poll(self, now: float) -> list[SampleRun]:
        """What is to be sent at `now` [s, any monotonic clock]."""
        if not self._demanded:
            if not self._lead:
                return []
            self._lead_again(now)
        self._catch_up()
        stop = min(self._limit, self._allowed(now))
        runs: list[SampleRun] = []
        while self._next < stop:
            samples = self._source.read(self._next, min(self._chunk, stop - self._next))
            if not len(samples):
                break
            first, self._next = self._next, self._next + len(samples)
            runs.append(SampleRun(first, samples, self._source.ended(self._next)))
        if not runs and not self._end_sent and self._source.ended(self._next):
            runs.append(SampleRun(self._next, np.zeros(0, np.int16), True))
        if runs:
            self._end_sent = runs[-1].end_of_stream
            self._history.append((now, self._next))
            self._sent_before(now - _RESEND_S)  # forgets what is older: demands may be rare
        return runs

    def start_over(self, next_sample: int | None = None) -> None:
        """Send again from `next_sample` on, or from the last that was demanded: what was under way
        may not have been taken."""
        first = self._reported if next_sample is None else next_sample
        if first < self._next:
            self.resent += 1
            self._go_to(first)

    def _lead_again(self, now: float) -> None:
        """Nobody has asked for more: whoever was to hear the lead may have come later."""
        unheard = self._history and self._history[-1][0] < now - _RESEND_S
        if unheard and self._lead_tries < _LEAD_TRIES:
            self._lead_tries += 1
            self.resent += 1
            self._go_to(0)

    def _go_to(self, sample: int) -> None:
        self._next = sample
        self._end_sent = False
        self._history.clear()
        self._pace_from = None

    def _sent_before(self, then: float) -> int:
        """What had been sent at the time `then`; 0 when that is not known."""
        sent = 0
        while self._history and self._history[0][0] <= then:
            sent = self._history.popleft()[1]
        if sent:
            self._history.appendleft((then, sent))
        return sent

    def _stale_end(self, now: float) -> bool:
        """The end was sent a while ago and there are demands still: it may have been lost."""
        return bool(self._history) and self._history[-1][0] < now - _RESEND_S

    def _catch_up(self) -> None:
        """A live source goes on at the present when what is wanted is gone or too old."""
        if not self._source.live:
            return
        end = self._source.end
        if self._next < self._source.first_held() or end - self._next > self._live_lag:
            self._source.align(self._next)
            self.skipped += 1

    def _allowed(self, now: float) -> int:
        """Index that the pace allows to send up to."""
        if not self._realtime:
            return self._limit
        if self._pace_from is None:
            self._pace_from = (now, self._next)
        start, first = self._pace_from
        allowed = first + round((now - start) * self._rate)
        if allowed - self._next > _STALL_S * self._rate:
            self._pace_from = (now, self._next)
            return self._next
        return allowed
