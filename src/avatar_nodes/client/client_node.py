"""Puts a node beside a running graph, in an rclpy context of its own."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from avatar_nodes.graph.environment import adopt_environment

if TYPE_CHECKING:
    from typing_extensions import Self


class ClientNode:
    """A context manager: `node` exists while it is entered.

    Its owner spins `executor`, or calls `spin_in_background` once all callbacks are there.
    namespace: the avatar's.
    """

    def __init__(self, name: str, namespace: str) -> None:
        self._name = name
        self._namespace = namespace
        self._context = Context()
        self._spinner: threading.Thread | None = None
        self._spinning = True
        self.node: Node
        self.executor: SingleThreadedExecutor

    def __enter__(self) -> Self:
        adopt_environment()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node(self._name, context=self._context, namespace=self._namespace)
        self.executor = SingleThreadedExecutor(context=self._context)
        self.executor.add_node(self.node)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._spinning = False
        if self._spinner is not None:
            self.executor.wake()
            self._spinner.join()
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def spin_in_background(self) -> None:
        """Let a thread run the callbacks until the context is left."""
        self._spinner = threading.Thread(target=self._spin, name=self._name, daemon=True)
        self._spinner.start()

    def _spin(self) -> None:
        try:
            while self._spinning:
                self.executor.spin_once(timeout_sec=0.2)
        except ExternalShutdownException:
            pass
