"""Watches the avatar's picture for hours: how often, and for how long, it stood still."""

from __future__ import annotations

import threading
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sensor_msgs.msg import Image

from avatar_nodes.client.client_node import ClientNode
from avatar_nodes.wire import topics
from avatar_nodes.wire.declaration import WITNESS

if TYPE_CHECKING:
    from typing_extensions import Self

STILL_S = 2.0
"""A picture that stands for longer is one that somebody notices."""


@dataclass(frozen=True)
class Still:
    """The picture stood: seconds of `time.monotonic`."""

    since_s: float
    until_s: float

    @property
    def seconds(self) -> float:
        """How long."""
        return self.until_s - self.since_s


class PictureWatch(ClientNode):
    """Subscribes to `image_raw`; a context manager, whose figures any thread may read."""

    def __init__(self, namespace: str) -> None:
        super().__init__("picture_watch", namespace)
        self._lock = threading.Lock()
        self._picture: int | None = None
        self._changed_s = self._longest_s = 0.0
        self.frames = 0
        self.stills: list[Still] = []
        """Times for which the picture stood for more than `STILL_S`."""

    def __enter__(self) -> Self:
        super().__enter__()
        topics.IMAGE_RAW.subscribe(self.node, WITNESS, self._on_image)
        self.spin_in_background()
        return self

    @property
    def still_s(self) -> float:
        """How long the picture has stood by now; 0 before the first one."""
        with self._lock:
            return time.monotonic() - self._changed_s if self.frames else 0.0

    def longest_still(self) -> float:
        """The longest time for which the picture stood since the last call [s]."""
        now_s = self.still_s
        with self._lock:
            longest_s, self._longest_s = max(self._longest_s, now_s), 0.0
        return longest_s

    def _on_image(self, msg: Image) -> None:
        self.saw(zlib.crc32(msg.data), time.monotonic())

    def saw(self, picture: int, at_s: float) -> None:
        """A frame with this checksum came at `at_s`."""
        with self._lock:
            self.frames += 1
            if picture == self._picture:
                return
            if self.frames > 1:
                stood = Still(self._changed_s, at_s)
                self._longest_s = max(self._longest_s, stood.seconds)
                if stood.seconds > STILL_S:
                    self.stills.append(stood)
            self._picture, self._changed_s = picture, at_s

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        with self._lock:
            seconds = [still.seconds for still in self.stills]
            return {
                "frames": self.frames,
                "still_over_2s": len(seconds),
                "still_over_2s_total_s": round(sum(seconds), 1),
                "still_s_max": round(max([self._longest_s, *seconds]), 2),
            }
