"""Shows the progress of a rendering: a bar in a terminal, a line every tenth elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

import click

_WIDTH = 30


class Progress:
    """Shows seconds of video done out of a total; `update` may be called from any one thread."""

    def __init__(self, total_s: float, out: TextIO | None = None) -> None:
        self._total_s = max(total_s, 1e-9)
        self._out = out or sys.stderr
        self._bar = self._out.isatty()
        self._began = time.monotonic()
        self._tenth = -1

    def update(self, done_s: float) -> None:
        """Tell that `done_s` seconds of the video are done."""
        share = min(max(done_s / self._total_s, 0.0), 1.0)
        text = f"{min(done_s, self._total_s):.1f} of {self._total_s:.1f} s"
        elapsed = time.monotonic() - self._began
        if self._bar:
            full = round(share * _WIDTH)
            bar = "#" * full + "-" * (_WIDTH - full)
            click.echo(f"\r\x1b[K[{bar}] {text}, {elapsed:.0f} s", file=self._out, nl=False)
        elif int(share * 10) > self._tenth:
            self._tenth = int(share * 10)
            click.echo(f"{self._tenth * 10:3d} % ({text})", file=self._out)

    def close(self) -> None:
        """Leave the line of the bar."""
        if self._bar:
            click.echo(file=self._out)
