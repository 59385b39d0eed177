"""rclpy's action client, which may be made while an executor spins its node."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import rclpy.action

if TYPE_CHECKING:
    _ActionClient = rclpy.action.ActionClient[Any, Any, Any]
else:  # it is no generic class before Kilted
    _ActionClient = rclpy.action.ActionClient


class ActionClient(_ActionClient):
    """rclpy's own hands itself to the executor before it has its lock: a thread that spins the node
    just then ends with an AttributeError.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._lock = threading.Lock()
        super().__init__(*arguments, **options)
