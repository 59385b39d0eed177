"""A browser that shows the avatar's page for hours, is reloaded, dies, and is started again."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import psutil

from avatar_nodes.bench.chromium import FLAGS, find_chromium

if TYPE_CHECKING:
    from typing_extensions import Self

_LOOK_S = 0.5
_SHOWN = """() => {
  const video = document.querySelector('video');
  return [document.documentElement.dataset.connection === 'live', video ? video.currentTime : 0];
}"""


class PageViewer:
    """Shows `url` in a headless Chromium on a thread of its own; a context manager.

    Raises:
        ChromiumError: there is no Playwright or no Chromium.
    """

    def __init__(self, url: str) -> None:
        self._url, self._chromium = url, find_chromium()
        self._orders: queue.Queue[Callable[[Any], object]] = queue.Queue()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._work, name="viewer", daemon=True)
        self._shown_s = 0.0
        self.live = False
        """The page says that it is connected, and its video moves."""
        self.looks = self.live_looks = self.reloads = self.browsers = 0
        self.trouble = ""
        """What the browser said last, if it said something."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._ends.set()
        self._thread.join()

    def reload(self) -> None:
        """As somebody who presses F5."""
        self._order(lambda page: page.reload(wait_until="commit"))
        self.reloads += 1

    def kill(self) -> None:
        """The browser's processes die; another one is started."""
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if process.name().startswith("chrom"):
                    process.kill()
        self._order(lambda page: page.title())  # which notices

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        share = self.live_looks / self.looks if self.looks else None
        return {
            "page_live_share": None if share is None else round(share, 4),
            "page_reloads": self.reloads,
            "page_trouble": self.trouble or None,
            "browsers": self.browsers,
        }

    def _order(self, order: Callable[[Any], object]) -> None:
        self.live = False
        self._orders.put(order)

    def _work(self) -> None:
        """The thread: one browser after the other."""
        from playwright.sync_api import Error, sync_playwright

        with sync_playwright() as playwright:
            while not self._ends.is_set():
                try:
                    self._browse(playwright)
                except Error as error:
                    self.trouble, self.live = error.message.splitlines()[0], False
                    self._ends.wait(_LOOK_S)

    def _browse(self, playwright: Any) -> None:
        """Until the end, or until the browser fails (Error)."""
        self.browsers += 1
        browser = playwright.chromium.launch(executable_path=self._chromium, args=list(FLAGS))
        try:
            page = browser.new_page()
            page.goto(self._url)
            while not self._ends.is_set():
                try:
                    self._orders.get(timeout=_LOOK_S)(page)
                except queue.Empty:
                    self._look(page)
        finally:
            browser.close()

    def _look(self, page: Any) -> None:
        connected, shown_s = page.evaluate(_SHOWN)
        self.live = bool(connected) and shown_s != self._shown_s
        self._shown_s = shown_s
        self.looks += 1
        self.live_looks += self.live
