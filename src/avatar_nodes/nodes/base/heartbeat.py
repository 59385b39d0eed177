"""A node's signs of life and reports, from a thread of their own: they go on while it computes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from avatar_msgs.msg import StageStatus
from avatar_nodes.graph.run_mark import new_instance
from avatar_nodes.nodes.base.telemetry import Telemetry
from avatar_nodes.wire import topics
from avatar_nodes.wire.declaration import EVERY_NODE

_PERIOD_S = 0.5


@dataclass(frozen=True)
class Condition:
    """How a node is."""

    ready: bool = False
    epoch: int = 0
    detail: str = "starting"
    failed: bool = False
    active: bool = False
    """Its life cycle is there: it works, or waits for others."""
    trouble: bool = False
    """It works, but what it did last went wrong; `detail` says what."""


class Heartbeat:
    """Publishes StageStatus twice a second and at every change, and a report on /diagnostics."""

    def __init__(
        self, node: Node, telemetry: Telemetry, *, report_period_s: float, frame_id: str
    ) -> None:
        self._node = node
        self._frame_id = frame_id
        self._telemetry = telemetry
        self._report_period_s = report_period_s
        self.instance = new_instance()
        """Another one at every start of the process, and at every `renew`."""
        self._condition = Condition()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._status = topics.STAGES.publisher(node, EVERY_NODE)
        self._diagnostics = topics.DIAGNOSTICS.publisher(node, EVERY_NODE)
        name = f"heartbeat of {node.get_name()}"
        self._thread = threading.Thread(target=self._beat, name=name, daemon=True)
        self._thread.start()

    @property
    def condition(self) -> Condition:
        """What was said last."""
        return self._condition

    def say(
        self,
        *,
        ready: bool | None = None,
        epoch: int | None = None,
        detail: str | None = None,
        failed: bool | None = None,
        active: bool | None = None,
        trouble: bool | None = None,
    ) -> None:
        """Change what is given; it is published at once if it is a change."""
        values = {"ready": ready, "epoch": epoch, "detail": detail, "failed": failed,
                  "active": active, "trouble": trouble}  # fmt: skip
        changed = replace(self._condition, **{k: v for k, v in values.items() if v is not None})  # type: ignore[arg-type]
        if changed != self._condition:
            self._condition = changed
            self._publish_status()

    def renew(self) -> None:
        """The node has let go of all that it held: it counts as restarted, and says so."""
        self.instance = new_instance()
        self._condition = replace(self._condition, ready=False, epoch=0, active=False)
        self._publish_status()

    def stop(self) -> None:
        """End the thread; nothing is published afterwards."""
        self._stopping.set()
        self._thread.join()

    def _beat(self) -> None:
        next_report = time.monotonic() + self._report_period_s
        while not self._stopping.wait(_PERIOD_S):
            self._publish_status()
            if time.monotonic() >= next_report:
                next_report = time.monotonic() + self._report_period_s
                self._report()

    def _publish_status(self) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            now = self._condition
            status = StageStatus(
                name=self._node.get_name(),
                instance=self.instance,
                ready=now.ready,
                epoch=now.epoch,
                detail=now.detail,
            )
            status.header.stamp = self._node.get_clock().now().to_msg()
            status.header.frame_id = self._frame_id
            self._status.publish(status)

    def _report(self) -> None:
        now = self._condition
        full_name = self._node.get_fully_qualified_name()
        values = {name: str(getattr(now, name)) for name in ("active", "ready", "epoch")}
        values |= self._telemetry.report()
        well = now.ready and not now.trouble
        level = DiagnosticStatus.OK if well else DiagnosticStatus.WARN
        report = DiagnosticStatus(
            level=DiagnosticStatus.ERROR if now.failed else level,
            name=full_name,
            hardware_id=full_name,
            message=now.detail,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[report])
        array.header.stamp = self._node.get_clock().now().to_msg()
        array.header.frame_id = self._frame_id
        self._diagnostics.publish(array)
