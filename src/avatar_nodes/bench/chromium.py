"""Finds the browser that plays a visitor's."""

from __future__ import annotations

import shutil

FLAGS = ("--autoplay-policy=no-user-gesture-required", "--no-sandbox")
"""With which a page plays without a click, also for root."""
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class ChromiumError(RuntimeError):
    """There is no browser, or no way to lead it; one line that says what to install."""


def find_chromium() -> str:
    """Its path. Raises ChromiumError: there is no Playwright or no Chromium."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        raise ChromiumError("Playwright is missing: pip install playwright") from None
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise ChromiumError("no Chromium was found: apt-get install chromium")
    return found
