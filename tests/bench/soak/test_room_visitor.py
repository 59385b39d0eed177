"""Who speaks in the room of a soak is heard by whatever plays it, and by the next one when it has
gone."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from support.waiting import wait_until

from avatar_nodes.bench.soak.room_visitor import RoomVisitor

SAMPLES = np.arange(1, 1921, dtype=np.int16)


class FileServer:
    """Its player writes what it plays into a file, anew for each player."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.players: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, stdin: int) -> subprocess.Popen[bytes]:
        assert command[0] == "pacat" and "--format=s16le" in command
        with self._file(len(self.players)).open("wb") as file:
            self.players.append(subprocess.Popen(["cat"], stdin=stdin, stdout=file))
        return self.players[-1]

    def heard(self, player: int) -> list[int]:
        """Samples that are no silence."""
        sound = np.frombuffer(self._file(player).read_bytes(), "<i2")
        return [int(sample) for sample in sound if sample]

    def _file(self, player: int) -> Path:
        return self._folder / f"{player}.raw"


def test_what_is_said_is_played_whole_and_by_another_player_after_one_has_died(
    tmp_path: Path,
) -> None:
    server: Any = FileServer(tmp_path)
    with RoomVisitor("/room", server) as visitor:
        visitor.say(SAMPLES)
        wait_until(lambda: server.heard(0) == SAMPLES.tolist(), what="the first words")
        server.players[0].kill()
        wait_until(lambda: len(server.players) == 2, what="another player")
        visitor.say(SAMPLES)
        wait_until(lambda: server.heard(1) == SAMPLES.tolist(), what="the next words")
    assert [player.poll() is None for player in server.players] == [False, False]
