"""Runs nodes in this process, each with an executor and a thread of its own, until told to end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from types import FrameType

import rclpy
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from avatar_nodes.errors.configuration_error import EXIT_MISCONFIGURED, ConfigurationError
from avatar_nodes.graph.environment import adopt_environment, sized_segment
from avatar_nodes.nodes.base.lifecycle_node import EXIT_FAILED, AvatarNode
from avatar_nodes.nodes.base.limited_log import limit_libraries

_POLL_S = 0.25
_PATIENCE_S = 3.0
_NOT_UNDERSTOOD = "Couldn't parse"
"""What rcl says of a parameter file that is missing or wrong, and of a wrong rule."""


class _Runner:
    """One node, its executor and its thread."""

    def __init__(self, node: AvatarNode, done: threading.Event) -> None:
        self.node = node
        self._done = done
        self._executor = _executor()
        self._executor.add_node(node)
        self.thread = threading.Thread(target=self._run, name=node.get_name(), daemon=True)
        self.thread.start()

    def wake(self) -> None:
        """Let the thread notice that it is to end."""
        self._executor.wake()

    def _run(self) -> None:
        try:
            self.node.autostart()
            while not self._done.is_set() and self.node.exit_code is None:
                self._executor.spin_once(timeout_sec=_POLL_S)
        except ExternalShutdownException:
            pass
        except Exception:
            self.node.get_logger().fatal(traceback.format_exc())
            self.node.exit_code = EXIT_FAILED
        finally:
            self._done.set()
            self._executor.shutdown()
            self.node.shut_down()


def _executor() -> Executor:
    """rclpy's executor of events, where it has one (from Kilted on).

    The older one asks everything a node listens to before every callback: with it, the conductor
    took 11 % of a core in a conversation, with this one 4 %.
    """
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()


def run_nodes(kinds: Sequence[tuple[str | None, type[AvatarNode]]]) -> int:
    """Run the (name, class) nodes; returns the exit code of the process.

    Ends at SIGINT, SIGTERM, the end of the process that started it, or when a node has its
    `exit_code`. A node that does not end in time is left behind: the process ends all the same.
    """
    parent = os.getppid()
    done = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        done.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        adopt_environment()
        rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    except ConfigurationError as error:
        get_logger("avatar").fatal(str(error))
        return EXIT_MISCONFIGURED
    except Exception as error:  # of a class that rclpy does not export
        get_logger("avatar").fatal(" ".join(str(error).split()))
        return EXIT_MISCONFIGURED if _NOT_UNDERSTOOD in str(error) else EXIT_FAILED
    limit_libraries()
    try:
        with sized_segment():
            nodes = [kind(name) for name, kind in kinds]
    except ConfigurationError as error:
        get_logger("avatar").fatal(str(error))
        return EXIT_MISCONFIGURED
    runners = [_Runner(node, done) for node in nodes]
    while not done.wait(_POLL_S):
        if os.getppid() != parent:
            get_logger("avatar").warning("the process that started this one is gone: ending")
            done.set()
    _end(runners)
    return next((node.exit_code for node in nodes if node.exit_code), 0)


def main_of(kind: type[AvatarNode]) -> None:
    """The main function of a node's executable: never returns."""
    leave(run_nodes([(None, kind)]))


def _end(runners: Sequence[_Runner]) -> None:
    for runner in runners:
        runner.wake()
    deadline = time.monotonic() + _PATIENCE_S
    for runner in runners:
        runner.thread.join(max(0.0, deadline - time.monotonic()))
    if not any(runner.thread.is_alive() for runner in runners):
        rclpy.try_shutdown()


def leave(code: int) -> None:
    """End without waiting for threads that are still computing, and without tearing torch down."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
