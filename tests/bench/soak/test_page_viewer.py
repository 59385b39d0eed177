"""The browser of a soak: looked at, reloaded, killed and started again; Playwright is a fake."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from support.waiting import wait_until

from avatar_nodes.bench.soak import page_viewer
from avatar_nodes.bench.soak.page_viewer import PageViewer

URL = "http://127.0.0.1:1/"


class FakeError(Exception):
    """As Playwright's."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class FakeBrowsers:
    """All browsers that were started, each with one page whose video moves while `moves`."""

    def __init__(self) -> None:
        self.started = self.closed = self.reloads = 0
        self.moves = self.connected = self.reachable = True
        self.dead = threading.Event()
        self._shown_s = 0.0

    def launch(self, *, executable_path: str, args: list[str]) -> SimpleNamespace:
        assert executable_path == "/chromium" and "--no-sandbox" in args
        self.started += 1
        self.dead.clear()
        page = SimpleNamespace(
            goto=self._goto, evaluate=self._evaluate, reload=self._reload, title=self._check
        )
        return SimpleNamespace(new_page=lambda: page, close=self._close)

    def _goto(self, url: str) -> None:
        assert url == URL
        if not self.reachable:
            raise FakeError("net::ERR_CONNECTION_REFUSED\nCall log: ...")

    def _evaluate(self, script: str) -> list[object]:
        self._check()
        self._shown_s += self.moves
        return [self.connected, self._shown_s]

    def _reload(self, *, wait_until: str) -> None:
        self._check()
        self.reloads += 1

    def _close(self) -> None:
        self.closed += 1

    def _check(self) -> None:
        if self.dead.is_set():
            raise FakeError("Target crashed")


@pytest.fixture
def browsers(monkeypatch: pytest.MonkeyPatch) -> FakeBrowsers:
    fakes = FakeBrowsers()

    @contextmanager
    def sync_playwright() -> Iterator[Any]:
        yield SimpleNamespace(chromium=fakes)

    module = ModuleType("playwright.sync_api")
    module.Error, module.sync_playwright = FakeError, sync_playwright  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "playwright.sync_api", module)
    monkeypatch.setattr(page_viewer, "find_chromium", lambda: "/chromium")
    monkeypatch.setattr(page_viewer, "_LOOK_S", 0.005)
    monkeypatch.setattr(page_viewer.psutil.Process, "children", lambda self, recursive: [])
    return fakes


def test_a_page_is_live_while_it_is_connected_and_its_video_moves(browsers: FakeBrowsers) -> None:
    with PageViewer(URL) as viewer:
        wait_until(lambda: viewer.live, what="a live page")
        browsers.moves = False
        wait_until(lambda: not viewer.live, what="a still video")
        browsers.moves = True
        wait_until(lambda: viewer.live, what="a live page")
        browsers.connected = False
        wait_until(lambda: not viewer.live, what="a page without a connection")
    figures = viewer.as_dict()
    assert 0.0 < figures["page_live_share"] < 1.0
    assert (figures["browsers"], figures["page_trouble"]) == (1, None)
    assert browsers.closed == 1


@pytest.mark.parametrize("order", [PageViewer.reload, PageViewer.kill])
def test_after_an_order_the_page_has_to_come_back(
    browsers: FakeBrowsers, order: Callable[[PageViewer], None]
) -> None:
    with PageViewer(URL) as viewer:
        wait_until(lambda: viewer.live, what="a live page")
        if order is PageViewer.kill:
            browsers.dead.set()
        browsers.connected = False
        order(viewer)
        assert not viewer.live
        wait_until(lambda: browsers.reloads + browsers.started == 2, what="a new page")
        browsers.connected = True
        wait_until(lambda: viewer.live, what="the page to come back")
    figures = viewer.as_dict()
    assert figures["page_reloads"] == browsers.reloads
    assert figures["browsers"] == browsers.started == browsers.closed
    assert figures["page_trouble"] == ("Target crashed" if browsers.started == 2 else None)


def test_no_browser_stays_behind_where_the_page_cannot_be_reached(browsers: FakeBrowsers) -> None:
    browsers.reachable = False
    with PageViewer(URL) as viewer:
        wait_until(lambda: browsers.started > 2, what="more tries")
        viewer.reload()
    assert browsers.closed == browsers.started and not viewer.live
    assert viewer.as_dict()["page_trouble"] == "net::ERR_CONNECTION_REFUSED"
    assert viewer.as_dict()["page_live_share"] is None
