"""A visitor who is heard by the microphone of a sound server, as people are."""

from __future__ import annotations

import contextlib
import subprocess
from types import TracebackType

import numpy as np

from avatar_nodes.bench.soak.pulse_server import SINK, PulseServer
from avatar_nodes.client.visitor import VirtualVisitor
from avatar_nodes.sound.audio_file import GRAPH_RATE

_PLAYER = (
    "pacat", "--playback", f"--device={SINK}", "--format=s16le", f"--rate={GRAPH_RATE}",
    "--channels=1", "--latency-msec=60", "--raw",
)  # fmt: skip


class RoomVisitor(VirtualVisitor):
    """Speaks into the null sink whose monitor the microphone hears; while it is unplugged, nobody
    hears."""

    def __init__(self, namespace: str, server: PulseServer) -> None:
        super().__init__(namespace)
        self._server = server
        self._player: subprocess.Popen[bytes] | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        super().__exit__(kind, error, trace)
        self._end()

    def emit(self, samples: np.ndarray, first_sample: int, now_ns: int) -> None:
        """See `VirtualVisitor`."""
        if self._player is None or self._player.poll() is not None:
            self._end()
            self._player = self._server.start(*_PLAYER, stdin=subprocess.PIPE)
        assert self._player.stdin is not None
        with contextlib.suppress(OSError):  # it is unplugged: another player tries again
            self._player.stdin.write(samples.astype("<i2").tobytes())
            self._player.stdin.flush()

    def _end(self) -> None:
        player, self._player = self._player, None
        if player is not None and player.stdin is not None:
            player.kill()
            with contextlib.suppress(OSError):  # what it has not read
                player.stdin.close()
            player.wait()
