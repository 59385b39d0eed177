"""A real Chromium without a window, its microphone fed from a sound file."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str:
    """Path of the browser; skips the test where there is none."""
    pytest.importorskip("playwright", reason="no Playwright here (make setup-test)")
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here: apt install chromium")
    return found


class Page:
    """One page, and what went wrong in it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 120.0) -> None:
        """The page's events go on meanwhile."""
        deadline = monotonic() + seconds
        while not condition():
            assert monotonic() < deadline, f"not within {seconds:g} s: {what}; {self.errors}"
            self.page.wait_for_timeout(20)

    def wait_live(self) -> None:
        self.page.wait_for_selector("html[data-connection=live]", state="attached", timeout=120_000)

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))

    def run(self, script: str) -> Any:
        return self.page.evaluate(script)

    @property
    def frames(self) -> int:
        """Frames shown so far, by whichever way."""
        return int(
            self.run(
                "avatarConnection.player ? avatarConnection.player.drawn"
                " : document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
            )
        )


@contextmanager
def browsing(
    *, microphone: Path | None = None, gesture: bool = False
) -> Iterator[Callable[[str], Page]]:
    """Opens pages by their address.

    microphone: sound file that the microphone hears, once, from when a page first uses it.
    gesture: as people have it: sound needs a click first, and the microphone an answer.
    """
    from playwright.sync_api import sync_playwright

    path = chromium()
    arguments = ["--no-sandbox"]
    if not gesture:
        arguments += [
            "--autoplay-policy=no-user-gesture-required", "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
        ]  # fmt: skip
    if microphone is not None:
        arguments.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)

        def open_page(url: str) -> Page:
            context = browser.new_context(ignore_https_errors=True)
            page = Page(context.new_page())
            page.page.goto(url)
            return page

        try:
            yield open_page
        finally:
            browser.close()
