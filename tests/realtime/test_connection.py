"""The connection to a Realtime server: opened again whenever it is lost, and never waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from support.realtime_server import RealtimeServer

from avatar_nodes.realtime.connection import Closed, News, Opened, RealtimeConnection


@pytest.fixture
def server() -> Iterator[RealtimeServer]:
    made = RealtimeServer(converses=False)
    yield made
    made.close()


class Line:
    """A connection, and all that it told."""

    def __init__(self, url: str, **options: str) -> None:
        given = {"model": "lamp 1", "api_key": "", **options}
        self.connection = RealtimeConnection(url, timeout_s=5.0, **given)
        self.told: list[News] = []

    def wait(self, done: Callable[[list[News]], bool]) -> list[News]:
        deadline = time.monotonic() + 20.0
        while not done(self.told):
            assert time.monotonic() < deadline, self.told
            self.told += self.connection.news()
            time.sleep(0.01)
        return self.told


@pytest.fixture
def line(server: RealtimeServer) -> Iterator[Line]:
    made = Line(server.url, api_key="secret")
    yield made
    made.connection.close()
    assert "realtime" not in {thread.name for thread in threading.enumerate()}


def opened(told: list[News]) -> int:
    return sum(isinstance(news, Opened) for news in told)


def closed(told: list[News]) -> list[str]:
    return [news.reason for news in told if isinstance(news, Closed)]


def test_it_names_model_and_key_and_carries_both_ways(server: RealtimeServer, line: Line) -> None:
    line.wait(lambda told: any(isinstance(news, str) for news in told))
    assert server.requests == [("/v1/realtime?model=lamp%201", "Bearer secret")]
    line.connection.send({"type": "hello"})
    server.say({"type": "big", "sound": "A" * (3 << 20)})
    line.wait(lambda told: any(isinstance(n, str) and len(n) > 3 << 20 for n in told))
    assert server.of("hello")


def test_a_lost_connection_is_opened_again(server: RealtimeServer, line: Line) -> None:
    line.wait(lambda told: len(told) == 2)
    server.drop()
    line.wait(lambda told: opened(told) == 2)
    assert len(closed(line.told)) == 1 and closed(line.told)[0]
    line.connection.send({"type": "hello"})
    line.connection.renew()
    line.wait(lambda told: opened(told) == 3)
    assert closed(line.told)[1] == ""


def test_a_server_that_refuses_is_asked_more_and_more_seldom(server: RealtimeServer) -> None:
    server.refuse_with = 401
    line = Line(server.url)
    line.wait(lambda told: len(closed(told)) == 3)
    line.connection.send({"type": "hello"})
    server.refuse_with = 0
    line.wait(lambda told: opened(told) == 1)
    assert closed(line.told) == ["HTTP 401 no such key"] * 3
    assert line.connection.dropped == 1
    line.connection.close()
    line.connection.close()


def test_nobody_there_costs_nobody_time() -> None:
    line = Line("ws://127.0.0.1:9/v1")
    began = time.monotonic()
    for _ in range(1000):
        line.connection.send({"type": "input_audio_buffer.append", "audio": "A" * 3000})
    line.wait(lambda told: len(closed(told)) == 1)
    line.connection.close()
    assert time.monotonic() - began < 5.0
