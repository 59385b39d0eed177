"""What happens to an avatar in a lobby: a process dies or hangs, somebody reloads the page, the
disk is full, the microphone is unplugged, the clock is set."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from avatar_nodes.bench.soak.page_viewer import PageViewer
from avatar_nodes.bench.soak.pulse_server import PulseServer

_FULL_S = 20.0
_UNPLUGGED_S = 6.0
_STEPPED_S = 20.0
_PIECE = bytes(1 << 20)


class AccidentError(RuntimeError):
    """An accident that cannot happen here; one line that says what it needs."""


class Accident(ABC):
    """Something that goes wrong, and is put right again where the avatar cannot do that itself."""

    kind: str

    @abstractmethod
    def happen(self, rng: np.random.Generator) -> str:
        """Let it happen, to whatever `rng` chooses, and put it right; returns to what.

        Raises:
            AccidentError, PulseServerError: it cannot.
        """


class ProcessDies(Accident):
    """One of the graph's processes is killed.

    Args:
        processes: ids by name, as they are now.
    """

    kind = "process killed"

    def __init__(self, processes: Callable[[], Mapping[str, int]]) -> None:
        self._processes = processes

    def happen(self, rng: np.random.Generator) -> str:
        """See `Accident`."""
        return _signal(self._processes(), signal.SIGKILL, rng)


class ProcessHangs(ProcessDies):
    """One of the graph's processes is stopped, and never goes on."""

    kind = "process stopped"

    def happen(self, rng: np.random.Generator) -> str:
        """See `Accident`."""
        return _signal(self._processes(), signal.SIGSTOP, rng)


class PageIsReloaded(Accident):
    """Somebody presses F5."""

    kind = "page reloaded"

    def __init__(self, viewer: PageViewer) -> None:
        self._viewer = viewer

    def happen(self, rng: np.random.Generator) -> str:
        """See `Accident`."""
        self._viewer.reload()
        return ""


class BrowserDies(PageIsReloaded):
    """The browser is killed, and another one is started."""

    kind = "browser killed"

    def happen(self, rng: np.random.Generator) -> str:
        """See `Accident`."""
        self._viewer.kill()
        return ""


class DiskIsFull(Accident):
    """A file fills the file system of `folder`, and goes again."""

    kind = "disk full"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def happen(self, rng: np.random.Generator) -> str:
        """See `Accident`."""
        file = self._folder / "filled"
        try:
            with contextlib.suppress(OSError), file.open("wb", buffering=0) as filler:
                while True:
                    filler.write(_PIECE)
            time.sleep(_FULL_S)
        finally:
            file.unlink(missing_ok=True)
        return ""


class MicrophoneIsUnplugged(Accident):
    """The sound card goes, and comes again."""

    kind = "microphone unplugged"

    def __init__(self, server: PulseServer) -> None:
        self._server = server

    def happen(self, rng: np.random.Generator) -> str:
        """See `Accident`."""
        self._server.unplug()
        try:
            time.sleep(_UNPLUGGED_S)
        finally:
            self._server.plug_in()
        return ""


class ClockIsSet(Accident):
    """The machine's clock jumps by 3 s, forward or back, and is right again after a while.

    Raises:
        AccidentError: it may not be set.
    """

    kind = "clock set"

    def __init__(self) -> None:
        _step(0.0)

    def happen(self, rng: np.random.Generator) -> str:
        """See `Accident`."""
        by_s = float(rng.choice([-3.0, 3.0]))
        _step(by_s)
        try:
            time.sleep(_STEPPED_S)
        finally:
            _step(-by_s)
        return f"{by_s:+g} s"


def _step(by_s: float) -> None:
    try:
        time.clock_settime(time.CLOCK_REALTIME, time.time() + by_s)
    except PermissionError:
        raise AccidentError(
            "the clock may not be set here: run as root, or leave --set-clock out"
        ) from None


def _signal(processes: Mapping[str, int], number: signal.Signals, rng: np.random.Generator) -> str:
    if not processes:
        raise AccidentError("there is no process that could be hit")
    name = str(rng.choice(sorted(processes)))
    with contextlib.suppress(ProcessLookupError):  # it has just died by itself
        os.kill(processes[name], number)
    return name
