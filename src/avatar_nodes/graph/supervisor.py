"""Supervises the processes of a graph on one machine, with circus.

circus spawns, watches, reads and kills; the decisions are made here: what a process's end means,
when it may start again, in which order all of them stop. Everything runs on the main thread's event
loop. circus's control sockets are bound in memory only (`inproc:`), so that neither another avatar
nor another user can meet them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import shlex
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
import zmq
from circus.arbiter import Arbiter
from circus.exc import ConflictError
from circus.process import Process
from circus.watcher import Watcher
from tornado.ioloop import IOLoop

from avatar_nodes.errors.configuration_error import EXIT_MISCONFIGURED
from avatar_nodes.graph.process_log import LineStream, ProcessLog
from avatar_nodes.graph.restart_policy import RestartPolicy
from avatar_nodes.graph.tied_process import tied
from avatar_nodes.graph.warm_spare import WarmSpare
from avatar_nodes.graph.watchdog import Hold
from avatar_nodes.profile.supervision import RestartSection

NAME = "avatar"  # the supervisor's own lines in the log

_CHECK_S = 0.1
_BUSY_RETRY_S = 0.02
_LAST_BREATH_S = 5.0
_SPARE_AFTER_S = 5.0


@dataclass(frozen=True)
class Child:
    """A process to supervise.

    `environment`: its whole environment; empty: ours. `respawn`: start it again when it ends by
    itself. `ends_run`: its exit with 0 means that the work of all is done. `patient`: see
    `Supervisor`. `warm`: a spare process that waits may take its place.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    respawn: bool = True
    ends_run: bool = False
    patient: bool = True
    warm: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `exit_code` 0 when it was told to stop or its work is done, and why.

    `finished`: the child whose end ends the run has done its work.
    """

    exit_code: int
    reason: str
    finished: bool = False


class Supervisor:
    """Runs children until one of them ends the run, cannot be kept up, or someone asks to stop.

    Children are started in the order given and stopped one after the other in the same order, so
    that what feeds the graph ends first and what shows or records ends last. Until `mark_ready` is
    called, a child that ends has not been able to start, and that ends the run.

    A child whose configuration is wrong ends the run until `mark_ready` is called. Afterwards the
    same configuration has worked: what it needs is gone for now, such as a disk or a device. A
    child that is `patient` is then tried again every `max_delay_s` for as long as it takes, without
    counting against the limit; the run has better things to show than its end.
    """

    def __init__(
        self,
        children: Sequence[Child],
        restart: RestartSection,
        log: ProcessLog | None = None,
        *,
        waiting_for: Callable[[], str] | None = None,
        before_restart: Callable[[], None] = lambda: None,
        watch: Callable[[Mapping[str, int]], Hold | None] = lambda pids: None,
        spare: WarmSpare | None = None,
    ) -> None:
        """`waiting_for` names, for the error, what is not ready yet; None: ready from the start.
        `before_restart` is called before a child is started again; an OSError is left to the child
        to meet. `watch` is asked ten times a second, with the ids of the processes that run,
        whether one of them holds the others up: that one is killed, so that its end is met like any
        other. `spare`: takes the place of the next `warm` child that ends; another is made
        somewhat later, when that one is back.
        """
        self._children = {child.name: child for child in children}
        self._settings = restart
        self._policies = {child.name: RestartPolicy(restart) for child in children}
        self._log = log or ProcessLog([child.name for child in children])
        self._streams: dict[str, LineStream] = {}
        self._exit_codes: dict[str, int] = {}
        self._waiting_for = waiting_for
        self._before_restart = before_restart
        self._watch_progress = watch
        self._spare = spare
        self._spare_due = 0.0
        self._ready = waiting_for is None
        self._was_ready = False
        self._in_want: dict[str, float] = {}
        self._outcome: Outcome | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pids: dict[str, int] = {}
        self._processes: dict[str, Process] = {}
        self._arbiter: Arbiter | None = None
        self.restarts = dict.fromkeys(self._children, 0)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the children that run."""
        return dict(self._pids)

    def run(self) -> Outcome:
        """Run to the end, on the main thread; SIGINT and SIGTERM stop everything in order."""
        return asyncio.run(self._run())

    def mark_ready(self) -> None:
        """The children work together: from now on one that ends is restarted. Thread-safe."""
        # At once, not by the loop: it may be about to see the end of a child that came after this.
        self._ready = self._was_ready = True

    def stop(self, reason: str, exit_code: int = 0) -> None:
        """End the run; any thread may call it, and only the first reason counts."""
        self._call(lambda: self._end(exit_code, reason))

    def _call(self, action: Callable[[], None]) -> None:
        if self._loop is None:
            action()  # not running yet
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: the run has ended already
            self._loop.call_soon_threadsafe(action)

    async def _run(self) -> Outcome:
        self._loop = asyncio.get_running_loop()
        logging.getLogger("circus").setLevel(logging.WARNING)
        self._arbiter = arbiter = Arbiter(
            [self._watcher(child) for child in self._children.values()],
            "inproc://control",
            "inproc://events",
            check_delay=-1,  # none of its own checks: they collide with commands, and log it
            context=zmq.Context(),
            loop=IOLoop.current(),
        )
        # After the arbiter's own handlers, which would stop all at the same time.
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._interrupted, number)
        deadline = self._loop.call_later(self._settings.start_timeout_s, self._start_is_late)
        try:
            await arbiter.start()
            await self._watch(arbiter)
        finally:
            deadline.cancel()
            await self._stop_in_order(arbiter)
        return self._outcome or Outcome(1, "the processes could not be started")

    async def _watch(self, arbiter: Arbiter) -> None:
        while not self._ended.is_set():
            await _exclusively(arbiter.manage_watchers)
            if (hold := self._watch_progress(self._pids)) is not None:
                self._kill(hold)
            self._keep_spare(time.monotonic())
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ended.wait(), _CHECK_S)

    def _keep_spare(self, now: float) -> None:
        """Have one, while nobody else needs the time that it takes to make it."""
        if self._spare is None or not self._ready or self._spare.pid is not None:
            self._spare_due = now + _SPARE_AFTER_S
        elif now >= self._spare_due:
            self._spare.start()

    def _kill(self, hold: Hold) -> None:
        """With SIGKILL: whatever holds a process, it would not hear another signal."""
        self._say(f"{hold.reason}: killing {hold.process}")
        if (pid := self._pids.get(hold.process)) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _watcher(self, child: Child) -> Watcher:
        stream = LineStream(lambda line: self._log.write(child.name, line))
        self._streams[child.name] = stream
        program, *arguments = tied(list(child.command))
        kind = Watcher
        if child.warm and self._spare is not None:
            kind = _adopting(self._spare, child)
        return kind(
            child.name,
            shlex.quote(program),
            args=arguments,
            env=dict(child.environment or os.environ),
            stdout_stream={"stream": stream},
            stderr_stream={"stream": stream},
            stop_signal=signal.SIGINT,
            graceful_timeout=self._settings.grace_s,
            respawn=False,  # circus would do it at once and for ever
            max_retry=1,
            singleton=True,
            hooks={
                "after_spawn": (self._after_spawn, True),
                "before_reap": (self._before_reap, True),
                "after_reap": (self._after_reap, True),
                "after_stop": (self._after_stop, True),
            },
        )

    # circus's hooks: called with (watcher, arbiter, hook_name, ...) by keyword

    def _after_spawn(self, watcher: Watcher, pid: int, **_: Any) -> bool:
        self._pids[watcher.name] = pid
        self._processes[watcher.name] = watcher.processes[pid]
        return True

    def _before_reap(self, watcher: Watcher, process_pid: int, **_: Any) -> None:
        self._hear_out(watcher, self._processes[watcher.name])

    def _hear_out(self, watcher: Watcher, process: Process) -> None:
        """circus closes the pipes of a dead process unread: its last words are read here."""
        stream = self._streams[watcher.name]
        for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
            with contextlib.suppress(OSError, ValueError):
                os.set_blocking(pipe.fileno(), False)
                while data := os.read(pipe.fileno(), 65536):
                    stream.feed(name, data)
        stream.close()
        if watcher.stream_redirector:
            watcher.stream_redirector.remove_redirections(process)

    def _after_reap(self, watcher: Watcher, exit_code: int | None, **_: Any) -> None:
        self._pids.pop(watcher.name, None)
        if exit_code is not None:
            self._exit_codes[watcher.name] = exit_code

    def _after_stop(self, watcher: Watcher, **_: Any) -> None:
        """A watcher stops when its process has ended, or because all are being stopped."""
        self._pids.pop(watcher.name, None)
        process = self._processes.pop(watcher.name, None)
        exit_code = self._exit_codes.pop(watcher.name, None)
        if exit_code is None and process is not None:
            # Its main thread was a zombie while others still ended: circus drops such a process
            # without reaping it.
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(_LAST_BREATH_S)
            self._hear_out(watcher, process)
            exit_code = process.returncode()
        if self._outcome is None:
            self._child_ended(self._children[watcher.name], watcher, exit_code)

    # what follows from it

    def _child_ended(self, child: Child, watcher: Watcher, exit_code: int | None) -> None:
        how = _describe(exit_code)
        if child.ends_run and exit_code == 0:
            self._end(0, f"{child.name} is done", finished=True)
        elif not self._ready or (exit_code == EXIT_MISCONFIGURED and not self._was_ready):
            self._end(1, f"{child.name} cannot start: it {how}")
        elif not child.respawn:
            self._end(1, f"{child.name} {how}")
        elif exit_code == EXIT_MISCONFIGURED and child.patient:
            self._be_patient(child, watcher, how)
        elif (delay := self._policies[child.name].next_delay(time.monotonic())) is None:
            limit = f"{self._settings.max_restarts} restarts within {self._settings.window_s:g} s"
            self._end(1, f"{child.name} {how}, after {limit}")
        else:
            self._restart(watcher, delay)
            self._say(f"{child.name} {how}; starting it again in {delay:.1f} s")

    def _be_patient(self, child: Child, watcher: Watcher, how: str) -> None:
        """Try again, and say so once; a child that has lived for a while since is new to it."""
        delay, now = self._settings.max_delay_s, time.monotonic()
        last = self._in_want.get(child.name, -math.inf)
        self._in_want[child.name] = now
        self._restart(watcher, delay)
        if now - last > delay + self._settings.window_s:
            self._say(f"{child.name} {how}, though it has run; trying again every {delay:g} s")

    def _restart(self, watcher: Watcher, delay: float) -> None:
        """To be called before it is said: circus drops what goes wrong in its hooks."""
        self.restarts[watcher.name] += 1
        task = asyncio.get_running_loop().create_task(self._start_again(watcher, delay))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start_again(self, watcher: Watcher, delay: float) -> None:
        await asyncio.sleep(delay)
        if self._outcome is None:
            with contextlib.suppress(OSError):
                self._before_restart()
            await _exclusively(watcher.start)

    def _interrupted(self, number: int) -> None:
        if self._outcome is not None and self._arbiter is not None:  # asked again: no more patience
            for watcher in self._arbiter.watchers:
                watcher.graceful_timeout = 0.0
        self._end(0, f"stopped by {signal.Signals(number).name}")

    def _start_is_late(self) -> None:
        if not self._ready and self._waiting_for is not None:
            limit = f"{self._settings.start_timeout_s:g} s"
            self._end(1, f"not ready within {limit}: {self._waiting_for()}")

    def _end(self, exit_code: int, reason: str, *, finished: bool = False) -> None:
        if self._outcome is None:
            self._outcome = Outcome(exit_code, reason, finished)
            self._ended.set()

    async def _stop_in_order(self, arbiter: Arbiter) -> None:
        for task in self._tasks:
            task.cancel()
        watchers = {watcher.name: watcher for watcher in arbiter.watchers}
        if self._spare is not None:
            self._spare.stop()
        for name in self._children:
            await _exclusively(watchers[name].stop)
        await _exclusively(arbiter.stop)
        await asyncio.sleep(0)  # circus closes its sockets in a callback
        arbiter.context.destroy(linger=0)

    def _say(self, text: str) -> None:
        self._log.write(NAME, text)


def _adopting(spare: WarmSpare, child: Child) -> type[Watcher]:
    """circus's watcher, whose process is the spare one if there is one."""

    class Adopted(Process):
        def spawn(self) -> None:
            worker = spare.take(child.command, child.environment)
            if worker is None:
                super().spawn()
            else:
                self.started, self._worker = time.time(), worker

    class Adopting(Watcher):
        _process_class = Adopted

    return Adopting


async def _exclusively(command: Callable[[], Awaitable[Any]]) -> None:
    """Run a circus command; it refuses while another one is running, which takes moments."""
    while True:
        try:
            await command()
            return
        except ConflictError:
            await asyncio.sleep(_BUSY_RETRY_S)


def _describe(exit_code: int | None) -> str:
    if exit_code is None:
        return "ended"
    if exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    if exit_code == EXIT_MISCONFIGURED:
        return f"found its configuration wrong (exit code {exit_code})"
    return f"ended with exit code {exit_code}"
