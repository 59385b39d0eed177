"""Says when an epoch must begin, who takes part in it, and which one the graph is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_OVERDUE_GROWTH = 2.0
_OVERDUE_LONGEST_S = 120.0


@dataclass
class _Stage:
    """What is known of one stage."""

    instance: str = ""
    ready_epoch: int = 0
    """Epoch in which it says it is ready; 0: none."""
    seen: float = 0.0
    epoch_instance: str = ""
    """Its instance when the current epoch began."""
    has_failed: bool = False
    """It held this epoch and holds none any more: something went wrong with a block. Or it holds
    one that we did not begin."""


class EpochKeeper:
    """Watches the stages of a graph and says when an epoch has to be begun.

    A stage takes part when it has been heard of within `heartbeat_timeout_s`. An epoch begins when
    all do. It is over when one of them comes back as another instance (it was restarted and holds
    nothing), when one says that it has lost it (it failed; the first time at once, then with
    patience while nothing gets through), when a block has been under way for too long (a message
    was lost), or when a stage that is there has not become ready for as long (it could not begin
    the epoch). A stage that has fallen silent only stops the issue of blocks: with it away, a new
    epoch would be no better.
    Times are seconds of any monotonic clock.

    Args:
        stages: names of the stages that every block passes.
        heartbeat_timeout_s: silence after which a stage is lost.
        block_timeout_s: time under way after which a block is lost; doubles while nothing gets
            through.

    Raises:
        ValueError: there is no stage.
    """

    def __init__(
        self, stages: Sequence[str], *, heartbeat_timeout_s: float, block_timeout_s: float
    ) -> None:
        if not stages:
            raise ValueError("no stage to keep epochs for")
        self._stages = {name: _Stage() for name in stages}
        self.adapt(heartbeat_timeout_s=heartbeat_timeout_s, block_timeout_s=block_timeout_s)
        self._oldest_issued: float | None = None
        self._waiting_since: float | None = None
        self._highest_seen = 0
        self._asked = ""
        self._tried_again = False
        self._failing_since: float | None = None
        self.epoch = 0

    def adapt(self, *, heartbeat_timeout_s: float, block_timeout_s: float) -> None:
        """From now on, these times hold."""
        self._heartbeat_timeout_s = heartbeat_timeout_s
        self._block_timeout_s = block_timeout_s
        self._patience_s = block_timeout_s

    @property
    def highest_seen(self) -> int:
        """The highest epoch that a stage has been in; above 0 at our start: the graph ran before
        us."""
        return self._highest_seen

    @property
    def restarted(self) -> list[str]:
        """Stages that are another instance than when the epoch began."""
        return [name for name, stage in self._stages.items() if self._restarted(stage)]

    @property
    def instances(self) -> list[str]:
        """The instances that take part in the current epoch."""
        return [stage.epoch_instance for stage in self._stages.values() if stage.epoch_instance]

    def status(self, name: str, *, instance: str, ready: bool, epoch: int, now: float) -> None:
        """Take a stage's sign of life; stages that are not ours are ignored."""
        stage = self._stages.get(name)
        if stage is None:
            return
        held = stage.ready_epoch == self.epoch != 0  # of earlier ones, latched news come late
        lost = held and not ready and not epoch
        strayed = 0 < self.epoch < epoch  # somebody else has begun one
        if (lost or strayed) and instance == stage.instance:
            stage.has_failed = True
        stage.instance = instance
        stage.ready_epoch = epoch if ready else 0
        stage.seen = now
        self._highest_seen = max(self._highest_seen, epoch)

    def issued(self, now: float) -> None:
        """A block was issued."""
        if self._oldest_issued is None:
            self._oldest_issued = now

    def progressed(self, now: float, *, in_flight: int) -> None:
        """A block arrived at its end; `in_flight` are still under way."""
        self._oldest_issued = now if in_flight else None
        self._patience_s = self._block_timeout_s
        self._tried_again = False

    def lost(self, now: float) -> list[str]:
        """Stages not heard of in time (or never)."""
        return [
            name
            for name, stage in self._stages.items()
            if not stage.instance or now - stage.seen > self._heartbeat_timeout_s
        ]

    def waiting_for(self, now: float) -> list[str]:
        """Stages that are lost, or not yet ready in the current epoch."""
        lost = self.lost(now)
        return [
            name
            for name, stage in self._stages.items()
            if not self.epoch
            or name in lost
            or stage.ready_epoch != self.epoch
            or stage.has_failed
            or self._restarted(stage)
        ]

    def may_issue(self, now: float) -> bool:
        """True when every stage is there and ready in the current epoch."""
        return self.epoch > 0 and not self.waiting_for(now)

    def reason_for_new_epoch(self, now: float) -> str | None:
        """Why an epoch must begin now, in words; None: no need, or not possible yet."""
        if self.lost(now):
            self._waiting_since = None
            return None
        if self.epoch == 0:
            return "every stage is there"
        if self.restarted:
            return f"{', '.join(self.restarted)} restarted"
        if self._asked:
            return self._asked
        if failed := [name for name, stage in self._stages.items() if stage.has_failed]:
            if self._failing_since is None:
                self._failing_since = now
            if not self._tried_again or self._overdue(self._failing_since, now):
                self._tried_again = True
                return f"{', '.join(failed)} lost the epoch"
        if self._overdue(self._oldest_issued, now):
            return "a block is overdue"
        waiting = self.waiting_for(now)
        if not waiting:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now
        if self._overdue(self._waiting_since, now):
            return f"{', '.join(waiting)} did not begin the epoch"
        return None

    def _overdue(self, since: float | None, now: float) -> bool:
        """Patience is at an end; there is more of it the next time."""
        if since is None or now - since <= self._patience_s:
            return False
        self._patience_s = min(self._patience_s * _OVERDUE_GROWTH, _OVERDUE_LONGEST_S)
        return True

    def ask(self, reason: str) -> None:
        """An epoch must begin as soon as every stage is there."""
        self._asked = reason

    def begin(self, unix_ms: int) -> int:
        """Begin an epoch with those who are there and return its number: the milliseconds since
        1970, so that a keeper which was restarted is ahead of its past, or more."""
        self._asked = ""
        self.epoch = max(self.epoch, self._highest_seen, unix_ms - 1) + 1
        self._oldest_issued = self._waiting_since = self._failing_since = None
        for stage in self._stages.values():
            stage.epoch_instance = stage.instance
            stage.has_failed = False
        return self.epoch

    @staticmethod
    def _restarted(stage: _Stage) -> bool:
        return bool(stage.epoch_instance) and stage.instance != stage.epoch_instance
