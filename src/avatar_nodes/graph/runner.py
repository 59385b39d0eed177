"""Runs a graph as supervised processes from start to end, watched over its own topics."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.observer import GraphObserver
from avatar_nodes.graph.params_file import check_params_file
from avatar_nodes.graph.process_command import (
    process_command,
    process_environment,
    restore_parameters,
    spare_command,
    write_parameters,
)
from avatar_nodes.graph.process_log import ProcessLog
from avatar_nodes.graph.run_mark import RUN, new_run
from avatar_nodes.graph.supervisor import Child, Outcome, Supervisor
from avatar_nodes.graph.warm_spare import WarmSpare
from avatar_nodes.graph.watchdog import Health

if TYPE_CHECKING:
    from avatar_msgs.msg import AvatarState, BlockCredit


_STATIONS = ("conductor", "denoiser", "decoder", "memory", "presenter")
"""Kinds of nodes without which the picture stands."""


class GraphRunner:
    """One run of one graph: `run` blocks until it is over.

    `own_namespace`: nobody else can have the graph's namespace, so `run` does not look whether
    another graph is up there, which takes a second. `on_ready` is called when every stage has
    reported ready, `on_state` with every AvatarState, `on_credit` with every BlockCredit; all on
    the observer's thread. `on_health` is called by the supervisor's loop, ten times a second.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        params_files: Sequence[Path] = (),
        log_level: str = "info",
        log: ProcessLog | None = None,
        own_namespace: bool = False,
        on_ready: Callable[[], None] | None = None,
        on_state: Callable[[AvatarState], None] | None = None,
        on_credit: Callable[[BlockCredit], None] | None = None,
        on_health: Callable[[Health], None] | None = None,
    ) -> None:
        for file in params_files:
            check_params_file(graph, file)
        self.graph = graph
        self.params_files = [Path(file).absolute() for file in params_files]
        self.log_level = log_level
        self.log = log or ProcessLog([process.name for process in graph.processes])
        self._on_ready = on_ready
        self._own_namespace = own_namespace
        self._run = new_run()
        self.observer = GraphObserver(
            graph,
            run=self._run,
            on_ready=self._is_ready,
            on_rival=self._is_not_alone if graph.autostart else None,
            on_state=on_state,
            on_credit=on_credit,
            on_health=on_health,
        )
        self.spare = self._spare()
        self.supervisor: Supervisor | None = None

    def run(self) -> Outcome:
        """Start every process and keep them up until the work is done or someone stops it."""
        with tempfile.TemporaryDirectory(prefix="avatar_") as folder:
            own = write_parameters(self.graph, Path(folder))
            children = self._children([own, *self.params_files])
            self.supervisor = Supervisor(
                children,
                self.graph.profile.restart,
                self.log,
                waiting_for=self.observer.waiting_for if self.graph.autostart else None,
                before_restart=lambda: restore_parameters(self.graph, own),
                watch=self.observer.watch,
                spare=self.spare,
            )
            with self.observer:
                return self._in_the_way() or self.supervisor.run()

    def stop(self, reason: str) -> None:
        """End the run; any thread may call it."""
        if self.supervisor is not None:
            self.supervisor.stop(reason)

    def _in_the_way(self) -> Outcome | None:
        """Why the graph must not be started; None: nothing is."""
        if self._own_namespace:
            return None
        try:
            rival = self.observer.rival()
        except KeyboardInterrupt:
            return Outcome(0, "stopped by SIGINT")
        return None if rival is None else Outcome(1, self._occupied(rival))

    def _occupied(self, name: str) -> str:
        namespace = self.graph.namespace
        return (
            f"another avatar is up in {namespace}: {namespace}/{name} runs already;"
            " stop it first, or choose another --namespace"
        )

    def _is_not_alone(self, name: str) -> None:
        if self.supervisor is not None:
            self.supervisor.stop(self._occupied(name), 1)

    def _children(self, params_files: Sequence[Path]) -> list[Child]:
        return [
            Child(
                name=process.name,
                command=process_command(self.graph, process, params_files, self.log_level),
                environment=process_environment(process) | {RUN: self._run},
                respawn=process.respawn,
                ends_run=process.ends_graph,
                patient=self.graph.mode != "render",  # that one is waited for
                warm=any(node.kind in _STATIONS for node in process.nodes),
            )
            for process in self.graph.processes
        ]

    def _spare(self) -> WarmSpare | None:
        """For the stations of a live avatar: most of what they need to be back is imports."""
        processes = [p for p in self.graph.processes if p.respawn]
        kinds = {node.kind for process in processes for node in process.nodes} & set(_STATIONS)
        if not kinds or self.graph.mode == "render" or not self.graph.profile.restart.spare:
            return None
        first = next(p for p in processes if any(node.kind in _STATIONS for node in p.nodes))
        return WarmSpare(spare_command(sorted(kinds)), process_environment(first))

    def _is_ready(self) -> None:
        if self.supervisor is not None:
            self.supervisor.mark_ready()
        if self._on_ready is not None:
            self._on_ready()
