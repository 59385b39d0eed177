"""The ROS nodes: parameters, topics and callbacks."""

from __future__ import annotations

import sys
from types import TracebackType

_default = sys.excepthook


def _quiet_when_interrupted(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _default(kind, error, trace)


# Until a node's process takes signals itself it imports for seconds, and Ctrl-C of the run reaches
# it there: that is no error.
sys.excepthook = _quiet_when_interrupted
