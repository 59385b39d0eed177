"""Lets visitors talk to the avatar for hours while one accident after the other happens to it."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avatar_nodes.bench.soak.accidents import (
    Accident,
    AccidentError,
    BrowserDies,
    ClockIsSet,
    DiskIsFull,
    MicrophoneIsUnplugged,
    PageIsReloaded,
    ProcessDies,
    ProcessHangs,
)
from avatar_nodes.bench.soak.figures import AccidentReport, SoakFigures
from avatar_nodes.bench.soak.page_viewer import PageViewer
from avatar_nodes.bench.soak.picture_watch import PictureWatch
from avatar_nodes.bench.soak.pulse_server import PulseServer, PulseServerError
from avatar_nodes.bench.soak.room_visitor import RoomVisitor
from avatar_nodes.bench.turn.benchmark import TurnBenchmark
from avatar_nodes.bench.turn.script import mixed_turns
from avatar_nodes.client.scripted_conversation import visited_graph
from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.runner import GraphRunner
from avatar_nodes.profile import Profile, with_values

_BACK_S = 60.0
"""Longest wait for the avatar after an accident."""
_POLL_S = 0.1
_LEAST_STEP_S = 3.0


@dataclass(frozen=True)
class SoakSettings:
    """What happens, and how often.

    Args:
        seconds: how long. every_s: from one accident's end to the next. seed: of their order, and
            of the visitor's steps. disk: a small file system of its own for the recordings, which
            is filled now and then; None: nothing is recorded. clock: the clock is set, too.
    """

    seconds: float
    every_s: float = 120.0
    seed: int = 0
    disk: Path | None = None
    clock: bool = False


class SoakBenchmark:
    """One run of a conversing kiosk.

    Args:
        questions: int16 [n] at 16 kHz. server: what the microphone hears; None: a topic, and no
            microphone is unplugged. browser: show the page in a browser. tell: called with every
            step and accident, one line each.

    Raises:
        AccidentError: an accident that is wanted cannot happen here.
        ChromiumError: a browser is wanted, and there is none.
    """

    def __init__(
        self, profile: Profile, questions: Sequence[np.ndarray], settings: SoakSettings, *,
        namespace: str, server: PulseServer | None, browser: bool, tell: Callable[[str], None],
        log_level: str = "fatal",
    ) -> None:  # fmt: skip
        self._settings, self._server, self._tell = settings, server, tell
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.viewer = PageViewer(f"http://127.0.0.1:{port}/") if browser else None
        graph = _graph(profile, namespace, settings, port if browser else None, server)
        self._watch = PictureWatch(graph.namespace)
        self._over = threading.Event()
        self._clock = ClockIsSet() if settings.clock else None
        self._reports: list[AccidentReport] = []
        steps = mixed_turns(max(16, round(settings.seconds / _LEAST_STEP_S)), seed=settings.seed)
        self._turns = TurnBenchmark(
            graph,
            questions,
            steps,
            tell=tell,
            visitor=None if server is None else RoomVisitor(graph.namespace, server),
            seconds=settings.seconds,
            beside=self._beside,
            log_level=log_level,
            own_namespace=True,
        )

    def run(self) -> SoakFigures:
        """Run for as long as is wanted, or until SIGINT or SIGTERM, which leaves the figures so
        far.

        Raises:
            VisitorError: the graph did not start, or ended before its time.
        """
        turns = self._turns.run()
        page = {} if self.viewer is None else self.viewer.as_dict()
        return SoakFigures(turns, self._reports, self._watch.as_dict(), page)

    @contextmanager
    def _beside(self, runner: GraphRunner) -> Iterator[None]:
        """Accidents happen while it is entered."""
        with ExitStack() as stack:
            stack.enter_context(self._watch)
            if self.viewer is not None:
                stack.enter_context(self.viewer)
            thread = threading.Thread(target=self._work, args=(runner,), name="accidents")
            thread.start()
            try:
                yield
            finally:
                self._over.set()
                thread.join()

    def _kinds(self, runner: GraphRunner) -> list[Accident]:
        def processes() -> dict[str, int]:
            return {} if runner.supervisor is None else dict(runner.supervisor.pids)

        kinds: list[Accident] = [ProcessDies(processes), ProcessHangs(processes)]
        if self.viewer is not None:
            kinds += [PageIsReloaded(self.viewer), BrowserDies(self.viewer)]
        if self._settings.disk is not None:
            kinds.append(DiskIsFull(self._settings.disk))
        if self._server is not None:
            kinds.append(MicrophoneIsUnplugged(self._server))
        if self._clock is not None:
            kinds.append(self._clock)
        return kinds

    def _work(self, runner: GraphRunner) -> None:
        rng = np.random.default_rng(self._settings.seed)
        kinds = self._kinds(runner)
        for number in itertools.count():
            if not number % len(kinds):
                rng.shuffle(kinds)
            if self._over.wait(self._settings.every_s):
                return
            accident = kinds[number % len(kinds)]
            try:
                report = self._watch_through(accident, rng)
            except (AccidentError, PulseServerError) as error:
                self._tell(f"{accident.kind}: it did not happen: {error}")
                continue
            self._reports.append(report)
            self._tell(str(report))

    def _watch_through(self, accident: Accident, rng: np.random.Generator) -> AccidentReport:
        self._get_well()  # before: what follows is this accident's
        self._watch.longest_still()
        begun_s = time.monotonic()
        what = accident.happen(rng)
        back_s = time.monotonic() - begun_s if self._get_well() else None
        return AccidentReport(accident.kind, what, self._watch.longest_still(), back_s)

    def _get_well(self) -> bool:
        """Wait until all is well; false: it was not, for too long."""
        deadline = time.monotonic() + _BACK_S
        while time.monotonic() < deadline and not self._over.wait(_POLL_S):
            if self._is_well():
                return True
        return False

    def _is_well(self) -> bool:
        """The picture moves, and the page shows it."""
        moves = 0.0 < self._watch.still_s < 1.0
        return moves and (self.viewer is None or self.viewer.live)


def _graph(
    profile: Profile, namespace: str, settings: SoakSettings, port: int | None,
    server: PulseServer | None,
) -> Graph:  # fmt: skip
    values: dict[str, Any] = {
        "restart": {"max_restarts": 1000},
        "listener": {"echo": "none"},
    }
    if port is not None:
        values["kiosk"] = {"port": port, "host": "127.0.0.1"}
    if settings.disk is not None:
        values["archive"] = {
            "enabled": True, "record": True, "folder": str(settings.disk),
            "keep_megabytes": 16, "file_minutes": 1.0, "free_megabytes": 8,
        }  # fmt: skip
    profile = with_values(profile, values)
    if server is None:
        return visited_graph(profile, namespace=namespace, kiosk=port is not None)
    return Graph.from_profile(
        profile, mode="converse", namespace=namespace, audio="device:", kiosk=port is not None
    )
