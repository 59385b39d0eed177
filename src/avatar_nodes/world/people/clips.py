"""Makes clips of lifelike people by seed, with the drawn world's sound, prompts and truth."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np

from avatar_nodes.world.clips import SIZE, Clip, ClipSpec
from avatar_nodes.world.motion import Performance
from avatar_nodes.world.people.identity import Identity
from avatar_nodes.world.people.lens import photographed
from avatar_nodes.world.people.shot import Box, Shot
from avatar_nodes.world.speech import Speech


class PeopleClip(Clip):
    """Films the frames of a `ClipSpec`: what a `Clip` says, acted by a lifelike person.

    Args:
        speech: what is said; None is the plan's own. size: side of the pictures in pixels.
        photographed: with the noise, colours and
            compression of the person's camera, else as drawn.
    """

    SOURCE: ClassVar[str] = "people"

    def __init__(
        self, spec: ClipSpec, *, speech: Speech | None = None, size: int = SIZE,
        photographed: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(spec, speech=speech)
        self.size, self._photographed = size, photographed
        self.person = Identity.sample(spec.identity)

    @cached_property
    def shot(self) -> Shot:
        return Shot(self.person, self.performance, size=self.size)

    def frame(self, n: int) -> np.ndarray:
        """uint8 RGB [size, size, 3]."""
        return self._taken(self.shot.picture(n), n)

    def reference(self) -> np.ndarray:
        """uint8 RGB [size, size, 3]: the person at rest."""
        still = Shot(self.person, Performance.neutral(), size=self.size)
        return self._taken(still.picture(0), -1)

    def _taken(self, picture: np.ndarray, n: int) -> np.ndarray:
        if not self._photographed:
            return picture
        return photographed(picture, self.person.camera, self.spec.seed * 100_003 + n + 1)

    def room(self) -> np.ndarray:
        """uint8 RGB [size, size, 3]: what is behind the person."""
        return self._taken(self.shot.room(), -1)

    def face_box(self, n: int) -> Box:
        """Pixels (x0, y0, x1, y1) of frame n's face, from brows to chin."""
        return self.shot.face_box(n)

    def hand_boxes(self, n: int) -> list[Box]:
        """Pixels (x0, y0, x1, y1) of frame n's raised hands; they may lie partly outside."""
        return self.shot.hand_boxes(n)

    def mouth_box(self, n: int) -> Box:
        """Pixels (x0, y0, x1, y1) of frame n's mouth."""
        return self._mouth_boxes[n]

    @cached_property
    def _mouth_boxes(self) -> list[Box]:
        """Each costs half as much as the picture."""
        return [self.shot.mouth_box(n) for n in range(self.performance.num_frames)]

    @property
    def search_box(self) -> Box:
        """Pixels (x0, y0, x1, y1) within which the mouth stays in this clip."""
        boxes = np.array(self._mouth_boxes)
        low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    @cached_property
    def object_visible(self) -> np.ndarray:
        """float32 [frames]: how much of the object is in the picture, 0 hidden .. 1 all of it."""
        frames = range(self.performance.num_frames)
        return np.array([self.shot.thing_visible(n) for n in frames], np.float32)

    def object_box(self, n: int) -> Box | None:
        """Pixels (x0, y0, x1, y1) of frame n's object, cut at the edge; None if hidden."""
        if self.object_visible[n] <= 0.0:
            return None
        x0, y0, x1, y1 = self.shot.thing_box(n)
        return max(0, x0), max(0, y0), min(self.size, x1), min(self.size, y1)
