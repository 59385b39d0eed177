"""Watches a running graph from outside, over its topics: who is ready, how far it is, whether it is
well."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from avatar_msgs.msg import AvatarState, BlockCredit, StageStatus
from avatar_nodes.graph.environment import (
    LIGHT_SEGMENT_BYTES,
    adopt_environment,
    sized_segment,
)
from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.run_mark import is_of_run
from avatar_nodes.graph.watchdog import Health, Hold, Watchdog
from avatar_nodes.wire import topics
from avatar_nodes.wire.declaration import OBSERVER
from avatar_nodes.wire.health import health_to_msg

_LOOK_S = 1.0
_LOOK_AGAIN_S = 0.05
_HEALTH_S = 1.0


class GraphObserver:
    """Subscribes to `stages`, `state`, `blocks/credit` and `/diagnostics`, publishes `health`; a
    context manager.

    `run`: the mark of the run that starts the graph's processes (`run_mark.py`). Nodes of the
    graph's names that are not of this run are another graph's in the same namespace: before every
    one of ours was ready, `on_rival` is told their names; afterwards the other graph is the
    newcomer, and has to give way. The callbacks are called on the observer's own thread, but for
    `on_health`: that one by whoever calls `watch`, each time.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        run: str,
        on_ready: Callable[[], None] | None = None,
        on_rival: Callable[[str], None] | None = None,
        on_state: Callable[[AvatarState], None] | None = None,
        on_credit: Callable[[BlockCredit], None] | None = None,
        on_health: Callable[[Health], None] | None = None,
    ) -> None:
        self._graph = graph
        self._run = run
        self._names = [node.name for node in graph.nodes]
        self._on_ready = on_ready
        self._on_rival = on_rival
        self._on_state = on_state
        self._on_credit = on_credit
        self._on_health = on_health
        self._ready: dict[str, StageStatus] = {}
        self._foreign: set[str] = set()
        self._was_ready = False
        self._diagnostics: dict[str, DiagnosticStatus] = {}
        self._lock = threading.Lock()
        self._watchdog = Watchdog(graph)
        self._told = Health(False, "")
        self._told_at = 0.0
        self._context = Context()
        self._thread = threading.Thread(target=self._spin, name="graph observer", daemon=True)

    def __enter__(self) -> GraphObserver:
        adopt_environment()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        with sized_segment(LIGHT_SEGMENT_BYTES):
            self._node = rclpy.create_node(
                "observer",
                namespace=self._graph.namespace,
                context=self._context,
                enable_rosout=False,
                start_parameter_services=False,
                use_global_arguments=False,
            )
        for topic, callback in (
            (topics.STAGES, self._stage),
            (topics.STATE, self._state),
            (topics.CREDIT, self._credit),
            (topics.DIAGNOSTICS, self._diagnostic),
        ):
            topic.subscribe(self._node, OBSERVER, callback)
        self._health = topics.HEALTH.publisher(self._node, OBSERVER)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        self._context.try_shutdown()

    def rival(self) -> str | None:
        """A node of this graph's names that is up before we have started any; None: none is.

        Takes a second when there is none: for as long others may take to be discovered.
        """
        deadline = time.monotonic() + _LOOK_S
        while time.monotonic() < deadline:
            infos = self._node.get_publishers_info_by_topic(topics.STAGES.name)
            with self._lock:
                up = {*self._foreign, *(info.node_name for info in infos)}
            for name in self._names:
                if name in up:
                    return name
            time.sleep(_LOOK_AGAIN_S)
        return None

    def waiting_for(self) -> str:
        """Names of the nodes that are not ready, with what they say about it."""
        with self._lock:
            missing = [
                f"{name} ({self._ready[name].detail or 'not ready'})"
                if name in self._ready
                else f"{name} (not heard of)"
                for name in self._names
                if name not in self._ready or not self._ready[name].ready
            ]
        return "waiting for " + ", ".join(missing) if missing else "nothing is missing"

    def diagnostics(self) -> dict[str, DiagnosticStatus]:
        """The last report of every node of the graph, by node name."""
        with self._lock:
            return dict(self._diagnostics)

    def watch(self, running: Mapping[str, int]) -> Hold | None:
        """Tell how the avatar is, once a second and when that changes; returns what holds it up.
        To be called often, by whoever runs the processes: `running` are their ids.
        """
        now = time.monotonic()
        with self._lock:
            health, hold = self._watchdog.check(now, running)
        if self._on_health is not None:
            self._on_health(health)
        if health.healthy != self._told.healthy or now - self._told_at >= _HEALTH_S:
            self._told, self._told_at = health, now
            figures = {"block": health.block, "still_s": health.still_s,
                       "restarts": health.restarts}  # fmt: skip
            self._health.publish(
                health_to_msg(
                    health.healthy, health.message, figures, avatar=self._graph.namespace,
                    machine=platform.node(),
                )
            )  # fmt: skip
        return hold

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return

    def _stage(self, message: StageStatus) -> None:
        if not is_of_run(message.instance, self._run):
            with self._lock:
                self._foreign.add(message.name)
            if message.name in self._names and not self._was_ready and self._on_rival is not None:
                self._on_rival(message.name)
            return
        with self._lock:
            self._ready[message.name] = message
            self._watchdog.status(message.name, ready=message.ready, now=time.monotonic())
            ready = all(name in self._ready and self._ready[name].ready for name in self._names)
        if ready and not self._was_ready:
            self._was_ready = True
            if self._on_ready is not None:
                self._on_ready()

    def _state(self, message: AvatarState) -> None:
        with self._lock:
            self._watchdog.finished(over=message.state == AvatarState.FINISHED)
        if self._on_state is not None:
            self._on_state(message)

    def _credit(self, message: BlockCredit) -> None:
        with self._lock:
            self._watchdog.presented(
                block=message.presented_block, frames=message.frames_presented, now=time.monotonic()
            )
        if self._on_credit is not None:
            self._on_credit(message)

    def _diagnostic(self, message: DiagnosticArray) -> None:
        prefix = self._graph.namespace + "/"
        with self._lock:
            for status in message.status:
                name = status.hardware_id or status.name
                if name.startswith(prefix):
                    name = name.removeprefix(prefix)
                    self._diagnostics[name] = status
                    values = {item.key: item.value for item in status.values}
                    self._watchdog.report(name, values, time.monotonic())
