"""What checks are told without a token."""

from __future__ import annotations

import json
from typing import Any

from support.http_client import ask
from support.waiting import wait_until
from support.web_show import serving

from avatar_nodes.web.health import HealthBoard

WELL = {"healthy": True, "message": "block 7 was presented", "block": 7, "still_s": 0.2,
        "restarts": 1}  # fmt: skip
UNWELL = {"healthy": False, "message": "decoder is not ready", "block": 5, "still_s": 4.0,
          "restarts": 2}  # fmt: skip


def test_all_machines_must_be_well() -> None:
    board = HealthBoard()
    assert not board.sum(0.0)["healthy"]
    board.put("here", WELL, 10.0)
    assert board.sum(11.0) == WELL
    board.put("there", UNWELL, 11.0)
    assert board.sum(11.0) == {**UNWELL, "block": 7, "restarts": 3}
    board.put("there", {**WELL, "block": 9}, 12.0)
    assert board.sum(12.0)["healthy"]


def test_a_supervisor_that_falls_silent_is_not_well() -> None:
    board = HealthBoard()
    board.put("here", WELL, 10.0)
    assert board.sum(12.9)["healthy"]
    silent = board.sum(15.0)
    assert (silent["healthy"], silent["message"]) == (False, "a supervisor has been silent for 5 s")


def test_strangers_do_not_fill_the_board() -> None:
    board = HealthBoard()
    board.put("here", WELL, 10.0)
    for number in range(1000):
        board.put(str(number), UNWELL, 10.0)
    assert board.sum(10.0)["restarts"] < 100


def test_no_token_is_needed() -> None:
    with serving(visitor_token="visitors-token-0123456789") as (server, _):

        def told() -> tuple[int, dict[str, Any]]:
            reply = ask(server.url, path="/healthz")
            return reply.status, json.loads(reply.body)

        assert told()[0] == 503
        server.tell_health("here", WELL)
        wait_until(lambda: told()[0] == 200, what="it is well")
        assert told()[1] == WELL
        server.tell_health("here", UNWELL)
        wait_until(lambda: told()[0] == 503, what="it is not well")
        assert told()[1] == UNWELL
