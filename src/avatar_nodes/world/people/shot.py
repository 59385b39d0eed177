"""Films a performance: pictures of one person, and the truth about every frame."""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache

import cv2
import numpy as np

from avatar_nodes.world.motion import Performance
from avatar_nodes.world.objects import Thing
from avatar_nodes.world.people import things
from avatar_nodes.world.people.drawing import Drawing, Moment, gaze_turn
from avatar_nodes.world.people.figure import DISTANCE, Figure
from avatar_nodes.world.people.gestures import GAZE, pose
from avatar_nodes.world.people.identity import Identity
from avatar_nodes.world.people.skeleton import Pose
from avatar_nodes.world.people.solid import Solid
from avatar_nodes.world.people.studio import studio

Box = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels; x1 and y1 exclusive."""

_KEPT = 4
_FINGER_TIP = 0.028
"""How far a finger reaches beyond its last joint [m]."""


class Shot:
    """One performance of one person before the camera.

    Args:
        size: side of the pictures in pixels. fine: pixels drawn for each of them, a side.
    """

    def __init__(
        self, identity: Identity, performance: Performance, *, size: int = 256, fine: int = 2
    ) -> None:
        self.identity, self.performance, self.size, self._fine = identity, performance, size, fine
        self.figure = _figure(identity)
        self.camera = self.figure.camera
        self._poses = [
            pose(performance, n, self.figure.skeleton, self.camera, self.figure.mouth)
            for n in range(performance.num_frames)
        ]
        self._swing = _swinging(self._poses)
        # A bowed head looks up at the camera.
        bowed = np.array([held.head[1] + held.lean[0] for held in self._poses])
        looks_up = bowed + identity.framing.above - GAZE * performance.gaze_y
        self.weights = self.figure.face.weights(performance, looks_up)

    def picture(self, n: int) -> np.ndarray:
        """uint8 RGB [size, size, 3] of frame `n`. Raises IndexError when there is none."""
        if not 0 <= n < self.performance.num_frames:
            raise IndexError(f"frame {n} is not within 0..{self.performance.num_frames - 1}")
        return self._picture(
            _drawing(self.figure).draw(self.moment(n), self.camera, self.size * self._fine)
        )

    def room(self) -> np.ndarray:
        """uint8 RGB [size, size, 3]: what is behind the person."""
        return self._picture(_drawing(self.figure).room(self.camera, self.size * self._fine))

    def _picture(self, drawn: np.ndarray) -> np.ndarray:
        upright = np.ascontiguousarray(drawn[::-1, :, :3])
        if self._fine == 1:
            return upright
        return cv2.resize(upright, (self.size, self.size), interpolation=cv2.INTER_AREA)

    def moment(self, n: int) -> Moment:
        """The geometry of frame `n`."""
        figure, held = self.figure, self._poses[n]
        transforms = figure.skeleton.transforms(held)
        vertices = figure.posed(self.weights[n], transforms)
        return Moment(
            vertices,
            figure.normals(vertices),
            transforms,
            self.weights[n],
            self._gaze(n, transforms),
            self._swing[n],
            tuple(held.hands),
            self._things(n, transforms),
        )

    def _gaze(self, n: int, transforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both eyes at the camera, but for the performance's glances."""
        head = transforms[self.figure.bone("head")]
        turns = []
        for centre, _ in self.figure.eyes:
            place = head[:, :3] @ centre + head[:, 3]
            line = head[:, :3].T @ (self.camera.eye - place)
            yaw = float(np.arctan2(line[0], -line[1]))
            pitch = float(np.arctan2(-line[2], np.hypot(line[0], line[1])))
            p = self.performance
            turns.append(
                gaze_turn(
                    float(np.clip(yaw + GAZE * p.gaze_x[n], -0.55, 0.55)),
                    float(np.clip(pitch + GAZE * p.gaze_y[n], -0.35, 0.35)),
                )
            )
        return turns[0], turns[1]

    def _things(self, n: int, transforms: np.ndarray) -> tuple[tuple[Solid, np.ndarray], ...]:
        p = self.performance
        if p.thing is None or p.show[n] <= 0.0:
            return ()
        centre = self._thing_centre(n, transforms)
        out = [(_built(p.thing), _placed(centre))]
        if p.thing.place == "stand":
            out.append((_stand(), _placed(centre - (0.0, 0.0, things.FOOT))))
        return tuple(out)

    def _thing_centre(self, n: int, transforms: np.ndarray) -> np.ndarray:
        p = self.performance
        if p.thing is not None and p.thing.place == "stand":
            away = 1.0 - float(p.show[n])
            return self.camera.place(p.side * (0.62 + 0.75 * away), -0.58, DISTANCE - 0.20)
        side = "L" if p.side > 0 else "R"
        skeleton, figure = self.figure.skeleton, self.figure
        wrist = transforms[figure.bone(f"wrist.{side}")]
        knuckle, root = skeleton.head(f"finger3-1.{side}"), skeleton.head(f"wrist.{side}")
        palm = 0.80 * knuckle + 0.20 * root
        place = wrist[:, :3] @ palm + wrist[:, 3]
        return place + (0.0, -0.006, things.FOOT + 0.026)

    # Truth.

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """[N, 2] (x, y): where points [N, 3] of the world lie in the picture."""
        return self.camera.pixels(points, self.size)

    def landmarks(self, n: int) -> np.ndarray:
        """float32 [len(LANDMARKS), 2] (x, y): the face's landmarks in pixels."""
        figure = self.figure
        vertices = figure.posed(self.weights[n], figure.skeleton.transforms(self._poses[n]))
        return self.pixels(vertices[figure.landmarks]).astype(np.float32)

    def face_box(self, n: int) -> Box:
        """Around the face of frame `n`, from brows to chin."""
        return _around(self.landmarks(n), 2)

    def hand_boxes(self, n: int) -> list[Box]:
        """Around each raised hand of frame `n`; it may be outside while it comes and goes."""
        transforms = self.figure.skeleton.transforms(self._poses[n])
        metre = self.size / self.identity.framing.height
        found = []
        for side in self._poses[n].hands:
            joints = [
                f"finger{finger}-{joint}.{side}" for finger in range(1, 6) for joint in (1, 2, 3)
            ]
            heads = np.array([self.figure.skeleton.head(name) for name in joints])
            moves = transforms[[self.figure.bone(name) for name in joints]]
            points = np.einsum("nij,nj->ni", moves[:, :, :3], heads) + moves[:, :, 3]
            found.append(_around(self.pixels(points), round(_FINGER_TIP * metre)))
        return found

    def mouth_box(self, n: int) -> Box:
        """Around the lips of frame `n`."""
        figure = self.figure
        vertices = figure.posed(self.weights[n], figure.skeleton.transforms(self._poses[n]))
        return _around(self.pixels(vertices[figure.lips]), 2)

    def thing_box(self, n: int) -> Box:
        """Around the thing of frame `n`; partly or wholly outside while it comes and goes.

        Raises ValueError when the performance has no thing.
        """
        if self.performance.thing is None:
            raise ValueError("this performance has no object")
        transforms = self.figure.skeleton.transforms(self._poses[n])
        centre = self._thing_centre(n, transforms)
        made = _built(self.performance.thing)
        return _around(self.pixels(made.vertices + centre), 0)

    def thing_visible(self, n: int) -> float:
        """Share of the thing's box that is in the picture at frame `n`, 0..1."""
        if self.performance.thing is None or self.performance.show[n] <= 0.0:
            return 0.0
        x0, y0, x1, y1 = self.thing_box(n)
        width = max(0, min(x1, self.size) - max(x0, 0))
        height = max(0, min(y1, self.size) - max(y0, 0))
        return width * height / ((x1 - x0) * (y1 - y0))


def _around(points: np.ndarray, margin: int) -> Box:
    low, high = np.floor(points.min(axis=0)) - margin, np.ceil(points.max(axis=0)) + margin
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _placed(centre: np.ndarray) -> np.ndarray:
    model = np.eye(4)
    model[:3, 3] = centre
    return model


def _swinging(poses: list[Pose]) -> np.ndarray:
    """float64 [frames, 3]: how far the tips of free hair lag behind the head [m]."""
    out = np.zeros((len(poses), 3))
    lag, speed = np.zeros(3), np.zeros(3)
    before: np.ndarray | None = None
    for n, held in enumerate(poses):
        (_, aside, _), (yaw, pitch, roll) = held.lean, held.head
        place = np.array((0.10 * roll + 0.05 * yaw + 0.3 * aside, 0.10 * pitch, 0.0))
        if before is not None:
            lag = lag - (place - before)
        before = place
        speed = 0.72 * speed - 0.22 * lag
        lag = np.clip(lag + speed, -0.03, 0.03)
        out[n] = lag
    return out


@lru_cache(maxsize=_KEPT)
def _figure(identity: Identity) -> Figure:
    return Figure(identity)


_drawings: OrderedDict[int, tuple[Figure, Drawing]] = OrderedDict()


def _drawing(figure: Figure) -> Drawing:
    """Kept for the last few figures."""
    found = _drawings.get(id(figure))
    if found is None:
        found = (figure, Drawing(figure, studio()))
        _drawings[id(figure)] = found
        if len(_drawings) > _KEPT:
            _drawings.popitem(last=False)[1][1].release()
    _drawings.move_to_end(id(figure))
    return found[1]


@lru_cache(maxsize=8)
def _built(thing: Thing) -> Solid:
    return things.build(thing)


@lru_cache(maxsize=1)
def _stand() -> Solid:
    return things.stand()
