"""Nodes that spin in a thread for the length of a test."""

from __future__ import annotations

import threading
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from support.waiting import wait_until

__all__ = ["Spinner", "wait_until"]


class Spinner:
    """Spins nodes of one context in one thread; `stop` ends the thread and destroys the nodes."""

    def __init__(self, context: rclpy.Context) -> None:
        self.context = context
        self._executor = SingleThreadedExecutor(context=context)
        self._nodes: list[Node] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="spinner")
        self._thread.start()

    def add(self, node: Node) -> Node:
        """Spin `node` too; it is destroyed at the end."""
        self._nodes.append(node)
        self._executor.add_node(node)
        self._executor.wake()
        return node

    def create_node(self, name: str, **options: Any) -> Node:
        """A plain node of the test's own."""
        return self.add(rclpy.create_node(name, context=self.context, **options))

    def stop(self) -> None:
        self._stopping.set()
        self._executor.wake()
        self._thread.join(10.0)
        assert not self._thread.is_alive(), "a callback of the test's nodes does not return"
        self._executor.shutdown()
        for node in self._nodes:
            node.destroy_node()

    def _spin(self) -> None:
        while not self._stopping.is_set():
            try:
                self._executor.spin_once(timeout_sec=0.2)
            except ExternalShutdownException:
                return
