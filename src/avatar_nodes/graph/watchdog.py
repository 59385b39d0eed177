"""Judges whether an avatar is well: whether its picture moves, and which process holds it up."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from avatar_nodes.graph.graph import Graph

_ASIDE = ("kiosk", "archive", "recorder", "loudspeaker", "timeline")
"""Kinds of nodes on which nobody depends: without one of them the avatar is well."""
_ASLEEP_S = 1.0
"""Between two looks: the machine, or whoever looks, stood still."""
_SLOWER = 3.0
"""A block may take this many times as long as the slowest of the last ones."""
_LAST_BLOCKS = 64


@dataclass(frozen=True)
class Hold:
    """A process that holds up the avatar, and has to be started again."""

    process: str
    reason: str


@dataclass(frozen=True)
class Health:
    """How the avatar is, in words that tell nothing of what is said in front of it."""

    healthy: bool
    message: str
    block: int = -1
    """The last block that was presented; -1: none."""
    still_s: float = 0.0
    """Seconds since a new picture was shown."""
    restarts: int = 0
    """Of processes, since the start."""
    deaf: bool = False
    """Nothing is heard of any node: whoever looks does not hear, or none is left."""


@dataclass(frozen=True)
class _Report:
    """What a node has said of itself on /diagnostics."""

    at: float
    active: bool = False
    ready: bool = False
    epoch: int = 0
    block: int = -1
    """The last block that it gave out; -1: none."""


@dataclass
class _Node:
    """What is known of a node of this machine."""

    process: str
    aside: bool
    ready: bool = False
    seen: float = -math.inf
    settled: bool = False
    """It has been active since its process started."""


class Watchdog:
    """Takes signs of life, reports and credits; `check` says how the avatar is, and which process
    has to be killed, so that it is started again.

    A process whose node has fallen silent for `restart.silence_s` holds up the avatar. When all
    nodes live, and no new picture is shown for `restart.stall_s` although one is due, the station
    that holds the picture is the first on a block's path which is not in the conductor's epoch, or
    has not given out the block that the one before it has. If its restart does not help, the
    conductor is started again, then the others. A node that somebody has deactivated holds nothing
    up: whoever did it wanted it.

    A picture is due all the time where the stream goes on without sound, else while blocks are
    under way; of a film that is rendered nobody waits for the next picture. Slow machines have more
    time, by the blocks that they have made.

    It has no clock and no threads. Times are seconds of any monotonic clock.
    """

    def __init__(self, graph: Graph) -> None:
        restart, stream = graph.profile.restart, graph.profile.stream
        self._silence_s = restart.silence_s
        self._stall_s = restart.stall_s
        if self._stall_s:  # every node has reported since
            self._stall_s = max(self._stall_s, 1.0 + 2.0 * graph.profile.diagnostics.period_s)
        self._start_s = restart.start_timeout_s
        self._late_s = stream.heartbeat_timeout_s
        self._live = graph.mode != "render"
        self._endless = self._live and stream.pace == "realtime" and stream.idle == "keep_alive"
        self._path = graph.path
        self._nodes = {node.name: _Node(node.process, node.kind in _ASIDE) for node in graph.nodes}
        self._respawn = {process.name for process in graph.processes if process.respawn}
        self._reports: dict[str, _Report] = {}
        self._pids: dict[str, int] = {}
        self._began: dict[str, float] = {}
        self._restarts = 0
        self._was_ready = self._finished = False
        self._shown = self._taken = -1
        self._shown_at: float | None = None
        self._checked: float | None = None
        self._due_since = self._accused_at = -math.inf
        self._first = True
        """No picture was shown since a station started."""
        self._first_s: float | None = None
        """The longest that this took; None: none was shown ever."""
        self._intervals: deque[float] = deque(maxlen=_LAST_BLOCKS)
        self._tried: set[str] = set()

    def status(self, name: str, *, ready: bool, now: float) -> None:
        """A sign of life of a node of this run."""
        if (node := self._nodes.get(name)) is not None:
            node.ready, node.seen = ready, now
            self._was_ready |= all(each.ready for each in self._nodes.values())

    def report(self, name: str, values: Mapping[str, str], now: float) -> None:
        """A node's report on /diagnostics, of whatever machine."""
        report = self._reports[name] = _Report(
            at=now,
            active=values.get("active") == "True",
            ready=values.get("ready") == "True",
            epoch=_number(values.get("epoch", "")) or 0,
            block=-1 if (block := _number(values.get("block", ""))) is None else block,
        )
        node = self._nodes.get(name)
        if node is None or node.settled or not report.active:
            return
        node.settled = now > self._began.get(node.process, math.inf)
        if name in self._path and node.settled:
            self._due_since, self._first = now, True

    def presented(self, *, block: int, frames: int, now: float) -> None:
        """The last block that the presenter has taken, and the frames that it has shown."""
        self._taken = block
        if frames == self._shown:
            return
        self._shown, self._shown_at = frames, now
        interval = now - self._due_since
        if not self._first:
            self._intervals.append(interval)
        elif math.isfinite(interval):
            self._first, self._first_s = False, max(self._first_s or 0.0, interval)
        self._due_since = now
        self._tried.clear()

    def finished(self, *, over: bool) -> None:
        """Whether the stream has ended, so that nothing follows."""
        self._finished = over

    def check(self, now: float, running: Mapping[str, int]) -> tuple[Health, Hold | None]:
        """How it is, and what holds it up. running: process ids of those that run."""
        self._wake(now)
        self._note_starts(now, running)
        deaf = self._deaf(now, running)
        if deaf or not self._due(running):
            self._due_since = now
        hold = None
        if self._was_ready and not deaf:
            hold = self._silent(now, running) or self._still(now)
        return replace(self._health(now, running), deaf=deaf), hold

    def _wake(self, now: float) -> None:
        """What could not be heard while nobody listened counts for nobody."""
        asleep = now - self._checked if self._checked is not None else 0.0
        self._checked = now
        if asleep > _ASLEEP_S:
            self._due_since += asleep
            for node in self._nodes.values():
                node.seen += asleep

    def _note_starts(self, now: float, running: Mapping[str, int]) -> None:
        for process, pid in running.items():
            if self._pids.get(process) == pid:
                continue
            self._restarts += process in self._pids
            self._pids[process], self._began[process] = pid, now
            for node in self._nodes.values():
                if node.process == process:
                    node.seen, node.settled, node.ready = now, False, False

    def _due(self, running: Mapping[str, int]) -> bool:
        """Whether a new picture is to come soon: all is there that makes it."""
        for name in self._path:
            node = self._nodes.get(name)
            if node is not None and not (node.settled and node.process in running):
                return False
            if name in self._reports and not self._reports[name].active:
                return False
        if self._endless or self._finished or not self._live:
            return self._endless and not self._finished
        conductor = self._reports.get(self._path[0])
        if conductor is None:
            return False
        return not conductor.ready or conductor.block > self._taken

    def _deaf(self, now: float, running: Mapping[str, int]) -> bool:
        """Where nothing is heard of any process, it is us who hear nothing."""
        heard = any(now - node.seen <= self._late_s for node in self._nodes.values())
        return not heard and len(running) > 1

    def _silent(self, now: float, running: Mapping[str, int]) -> Hold | None:
        """A process with a node of which nothing is heard."""
        if not self._silence_s:
            return None
        for name, node in self._nodes.items():
            limit = self._silence_s if node.settled else self._start_s
            if now - node.seen > limit and node.process in self._respawn & running.keys():
                silent_s = now - node.seen
                for each in self._nodes.values():  # once is enough
                    each.seen = now if each.process == node.process else each.seen
                return Hold(node.process, f"{name} has given no sign of life for {silent_s:.1f} s")
        return None

    def _still(self, now: float) -> Hold | None:
        still_s = now - max(self._due_since, self._accused_at)
        if not self._stall_s or still_s <= self._patience_s():
            return None
        holder, what = self._holder()
        self._accused_at = now
        if holder not in self._nodes:  # it runs on another machine, which has its own watchdog
            return None
        mine = [name for name in (holder, *self._path) if name in self._nodes]
        mine = [name for name in mine if self._nodes[name].process in self._respawn]
        if not mine:
            return None
        if self._tried.issuperset(mine):
            self._tried.clear()
        chosen = next(name for name in mine if name not in self._tried)
        self._tried.add(chosen)
        if chosen != holder:
            what = "a restart of the station that holds it has not helped"
        still = f"the picture has stood still for {still_s:.1f} s"
        return Hold(self._nodes[chosen].process, f"{still}: {what}")

    def _patience_s(self) -> float:
        patience_s = max(self._stall_s, _SLOWER * max(self._intervals, default=0.0))
        if not self._first:
            return patience_s
        return self._start_s if self._first_s is None else max(patience_s, _SLOWER * self._first_s)

    def _holder(self) -> tuple[str, str]:
        """The station that holds the picture, and by what."""
        conductor, *stages = self._path
        start = self._fresh(conductor)
        if start is None or not start.epoch:
            return conductor, f"{conductor} has begun no epoch"
        for name in stages:
            stage = self._fresh(name)
            if stage is None or not stage.ready or stage.epoch != start.epoch:
                return name, f"{name} is not in the epoch"
        for name in stages:
            if self._reports[name].block < start.block:
                return name, f"{name} has not made block {start.block}"
        memory = self._reports.get("memory")
        if memory is not None and memory.block < start.block:
            return "memory", f"memory has not taken block {start.block}"
        return conductor, f"{conductor} has issued no block after {start.block}"

    def _fresh(self, name: str) -> _Report | None:
        """A report made since the picture stands still."""
        report = self._reports.get(name)
        since = max(self._due_since, self._accused_at)
        return report if report is not None and report.at > since else None

    def _health(self, now: float, running: Mapping[str, int]) -> Health:
        wrong: list[str] = []
        aside: list[str] = []
        for name, node in self._nodes.items():
            if node.process not in running:
                what = f"{name} is not running"
            elif node.settled and now - node.seen > self._late_s:
                what = f"{name} gives no sign of life"
            elif not node.ready:
                what = f"{name} is not ready"
            else:
                continue
            (aside if node.aside and self._was_ready else wrong).append(what)
        still_s = 0.0 if self._shown_at is None else now - self._shown_at
        usual_s = max(self._late_s, _SLOWER * max(self._intervals, default=0.0))
        if (
            self._was_ready
            and self._due(running)
            and (self._first or now - self._due_since > usual_s)
        ):
            wrong.append(f"the picture has stood still for {still_s:.1f} s")
        healthy = self._was_ready and not wrong
        lead = [] if self._was_ready else ["starting"]
        good = ["the stream has ended" if self._finished else f"block {self._taken} was presented"]
        message = "; ".join([*lead, *wrong, *aside] if not healthy else [*good, *aside])
        return Health(healthy, message, self._taken, round(still_s, 1), self._restarts)


def _number(text: str) -> int | None:
    """A whole number from -1 on, as nodes report it; anybody may have written it."""
    digits = text.removeprefix("-")
    return int(text) if len(digits) < 19 and digits.isascii() and digits.isdigit() else None
