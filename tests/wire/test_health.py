"""What a supervisor says of the avatar goes through a message; what a stranger says does not."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.wire.health import health_from_msg, health_to_msg

FIGURES = {"block": 7, "still_s": 0.3, "restarts": 1}


@pytest.mark.parametrize("healthy", [True, False])
def test_there_and_back(healthy: bool) -> None:
    msg = health_to_msg(healthy, "so it is", FIGURES, avatar="/avatar", machine="robot")
    assert health_from_msg(msg) == {"healthy": healthy, "message": "so it is", **FIGURES}


@pytest.mark.parametrize(
    "values",
    [{}, {**FIGURES, "block": "one"}, {**FIGURES, "still_s": "nan"}, {**FIGURES, "block": 2**60},
     {**FIGURES, "more": 1}, {**FIGURES, "restarts": -5}],
)  # fmt: skip
def test_what_no_supervisor_says_is_refused(values: dict[str, object]) -> None:
    msg = DiagnosticStatus(values=[KeyValue(key=k, value=str(v)) for k, v in values.items()])
    with pytest.raises(RefusedError):
        health_from_msg(msg)


def test_words_are_few() -> None:
    msg = health_to_msg(False, "x" * 10_000, FIGURES, avatar="/avatar", machine="robot")
    assert len(json.dumps(health_from_msg(msg))) < 2000
    msg.message = "x" * 10_000
    with pytest.raises(RefusedError):
        health_from_msg(msg)
