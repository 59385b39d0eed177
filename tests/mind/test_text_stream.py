"""Text from one thread to another: ends, failures, patience and cancelling."""

from __future__ import annotations

import threading

import pytest
from support.waiting import wait_until

from avatar_nodes.mind.text_stream import ChatError, Patience, TextStream

LONG = Patience(first_s=300.0, stall_s=300.0, total_s=300.0)


def test_in_order_until_the_end() -> None:
    stream, told = TextStream(), []
    stream.on_cancel = lambda: told.append("stop")
    for piece in ("a", "", "b"):
        stream.put(piece)
    stream.end()
    assert list(stream.pieces(LONG)) == ["a", "b"]
    stream.cancel()
    assert told == ["stop"]


def test_halves_of_a_sign_are_joined() -> None:
    stream = TextStream()
    for piece in ("a\ud83d", "\ude00", "b\ud83dc"):
        stream.put(piece)
    stream.end()
    assert list(stream.pieces(LONG)) == ["a", "😀", "b\ufffdc"]


def test_thoughts_are_signs_of_life() -> None:
    stream = TextStream()
    stream.thinks()
    assert stream.thoughts_apart
    with pytest.raises(ChatError, match=r"no more text within 0\.05 s"):
        list(stream.pieces(Patience(first_s=60.0, stall_s=0.05)))


@pytest.mark.parametrize(
    ("patience", "pieces", "message"),
    [
        (Patience(first_s=0.05), 0, "no first text within 0.05 s"),
        (Patience(stall_s=0.05), 1, "no more text within 0.05 s"),
        (Patience(total_s=0.05), 0, "no complete answer within 0.05 s"),
    ],
)
def test_patience(patience: Patience, pieces: int, message: str) -> None:
    stream = TextStream()
    for _ in range(pieces):
        stream.put("x")
    with pytest.raises(ChatError, match=message) as caught:
        list(stream.pieces(patience))
    assert caught.value.problem == "timeout"
    assert stream.cancelled


def test_a_failure_comes_after_what_was_written() -> None:
    stream, read = TextStream(), []
    stream.put("a")
    stream.fail("server", "it is\ngone")
    with pytest.raises(ChatError, match="it is gone"):
        read.extend(stream.pieces(LONG))
    stream = TextStream()
    stream.put("x" * 20_001)
    with pytest.raises(ChatError, match="more than 20000 characters"):
        list(stream.pieces(LONG))


def test_cancelling_releases_a_reader_that_waits() -> None:
    stream, read = TextStream(), []

    def run() -> None:
        for piece in stream.pieces(LONG):
            read.append(piece)

    reader = threading.Thread(target=run)
    reader.start()
    stream.put("a")
    wait_until(lambda: read == ["a"], what="the first piece")
    stream.cancel()
    reader.join(60.0)
    assert not reader.is_alive()
