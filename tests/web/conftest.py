"""Sockets of a test, closed with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from websockets.sync.client import ClientConnection, connect

Connect = Callable[..., ClientConnection]


@pytest.fixture
def open_socket() -> Iterator[Connect]:
    """`connect` whose connections end with the test."""
    with ExitStack() as stack:
        yield lambda url, **options: stack.enter_context(connect(url, **options))
