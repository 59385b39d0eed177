"""Interface of the web page's requests to the avatar; the kiosk node answers them through ROS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Answer:
    """Result of a request."""

    success: bool
    message: str = ""
    """Why not, or what was done, in one line."""


class Desk(Protocol):
    """Called on the server's event loop; nothing here may block it."""

    def hear(
        self, samples: np.ndarray, *, stream: str, first_sample: int, end_of_stream: bool = False
    ) -> None:
        """Sound of a browser's microphone, int16 mono [n] at 16 kHz.

        stream: its session and turn at the microphone; first_sample: counted from its start.
        """

    def ask(self, text: str) -> int:
        """The visitor wrote instead of speaking; returns the turn."""

    async def request(self, name: str, value: str | bytes = "") -> Answer:
        """An operator's order by name (`interrupt`, `reset`, `prompt`, `persona`, `person`,
        `reference`, `reference_middle`, `say`, `record`), and what it is about."""
