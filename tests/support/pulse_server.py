"""A PulseAudio server of a test's own, with a null sink for a sound card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from avatar_nodes.bench.soak import pulse_server
from avatar_nodes.bench.soak.pulse_server import SINK, PulseServerError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SINK", "PulseServer"]


class PulseServer(pulse_server.PulseServer):
    """Skips the test where PulseAudio, PortAudio or ALSA's way to PulseAudio is missing."""

    def __init__(self) -> None:
        try:
            super().__init__()
        except PulseServerError as error:
            pytest.skip(str(error))

    def __enter__(self) -> Self:
        try:
            return super().__enter__()
        except PulseServerError as error:
            pytest.skip(str(error))
