"""The log of a node's process, limited: of the nodes, and of the libraries that they use."""

from __future__ import annotations

import logging
from typing import Any

from rclpy.impl import rcutils_logger
from rclpy.impl.logging_severity import LoggingSeverity
from rclpy.impl.rcutils_logger import RcutilsLogger

from avatar_nodes.graph.log_budget import LogBudget

# The line that a message comes from is sought beyond this file, as beyond rclpy's own.
rcutils_logger._internal_callers.append(__file__)


class LimitedLogger(RcutilsLogger):
    """rclpy's logger within a budget of its own; what is fatal is said in any case."""

    def __init__(self, name: str = "") -> None:
        super().__init__(name=name)
        self._budget = LogBudget()

    def log(self, message: Any, severity: Any, name: str | None = None, **filters: Any) -> bool:
        """rclpy's hook, behind `info` and its like."""
        if not self.is_enabled_for(severity):
            return False
        urgent = severity >= LoggingSeverity.FATAL
        lines = self._budget.admit(str(message), urgent=urgent)
        for line in lines:
            super().log(line, severity, name, **filters)
        return bool(lines)


class _Handler(logging.Handler):
    def __init__(self, logger: LimitedLogger) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """logging's hook."""
        text = self.format(record)
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)


def limit_libraries() -> None:
    """Let what Python's libraries log come out of the ROS log, within one budget for all."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Handler(LimitedLogger("avatar"))])
