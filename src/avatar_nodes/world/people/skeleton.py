"""Poses a body: turns a pose into one transform a bone, arms by where their hands are to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from avatar_nodes.world.people.assets import Assets, Body
from avatar_nodes.world.people.rotation import about, between, frame, towards, unit

SIDES = {"L": 1.0, "R": -1.0}
"""The person's sides and the sign of x there."""

_SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
_NECK = (("neck01", 0.25), ("neck02", 0.45), ("neck03", 0.65), ("head", 1.0))
_DROPPED = 0.07  # radians by which shoulders hang lower than in the body at rest
_RELAXED = ((0.12, 0.25, 0.20), *[(0.35, 0.40, 0.25)] * 4)


@dataclass(frozen=True)
class Hand:
    """Where a hand is and how it is held, in metres and directions of the upright person.

    wrist: [3]. fingers: where they point when stretched. palm: where it faces. elbow: where that
    tends to. curl: radians of each joint, (thumb, index .. little) x (root, middle, tip). spread:
    radians between neighbouring fingers; thumb: (away from the palm, about the hand).
    """

    wrist: np.ndarray
    fingers: np.ndarray
    palm: np.ndarray
    elbow: np.ndarray
    curl: np.ndarray = field(default_factory=lambda: np.array(_RELAXED))
    spread: float = 0.0
    thumb: tuple[float, float] = (0.0, 0.0)

    def towards(self, other: Hand, share: float) -> Hand:
        """Between this (share 0) and another (share 1)."""
        keep = 1.0 - share
        return Hand(
            keep * self.wrist + share * other.wrist,
            towards(self.fingers, other.fingers, share),
            towards(self.palm, other.palm, share),
            towards(self.elbow, other.elbow, share),
            keep * self.curl + share * other.curl,
            keep * self.spread + share * other.spread,
            (
                keep * self.thumb[0] + share * other.thumb[0],
                keep * self.thumb[1] + share * other.thumb[1],
            ),
        )


@dataclass(frozen=True)
class Pose:
    """How a person stands; angles in radians.

    lean: forward, to their left, about the spine. head: turned to their left, bowed, tilted to
    their left. shrug: how far the shoulders are raised. breath: -1..1. hands: by side; one that is
    missing hangs down.
    """

    lean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shrug: float = 0.0
    breath: float = 0.0
    hands: Mapping[str, Hand] = field(default_factory=dict)


@dataclass(frozen=True)
class _Arm:
    upper: np.ndarray
    fore: np.ndarray
    fingers: np.ndarray
    palm: np.ndarray
    upper_length: float
    fore_length: float
    axes: tuple[np.ndarray, ...]


class Skeleton:
    """The bones of one body. Transforms are float64 [163, 3, 4], from the body at rest."""

    def __init__(self, assets: Assets, body: Body) -> None:
        self._bone, self._names, self._parents = assets.bone, assets.bones, assets.parents
        self.heads, self._tails = body.heads, body.tails
        self._arms = {side: self._measure(side) for side in SIDES}
        self._hanging: dict[str, dict[str, np.ndarray]] = {}

    def head(self, name: str) -> np.ndarray:
        """Where a bone begins in the body at rest [3]."""
        return self.heads[self._bone[name]]

    def shoulder(self, side: str) -> np.ndarray:
        return self.head(f"upperarm01.{side}")

    def reach(self, side: str) -> float:
        """How far the wrist comes from the shoulder [m]."""
        return self._arms[side].upper_length + self._arms[side].fore_length

    def hanging(self, side: str) -> Hand:
        """An arm that hangs down at the side."""
        sign, arm = SIDES[side], self._arms[side]
        wrist = (
            self.shoulder(side)
            + arm.upper_length * unit((0.11 * sign, 0.04, -1.0))
            + arm.fore_length * unit((0.06 * sign, -0.26, -1.0))
        )
        return Hand(
            wrist,
            unit((0.03 * sign, -0.25, -1.0)),
            unit((-sign, -0.10, 0.0)),
            unit((0.5 * sign, 1.0, -0.2)),
        )

    def transforms(self, pose: Pose) -> np.ndarray:
        """One transform a bone."""
        turns = self._torso(pose)
        chest = turns["spine01"]
        for side in SIDES:
            if side in pose.hands:
                hand = pose.hands[side]
                arm = self._arm(side, hand, pose)
                missed = hand.wrist - self._wrist(side, arm)
                arm = self._arm(side, replace(hand, wrist=hand.wrist + missed), pose)
            else:
                shoulder = self._shoulder(side, _raised(pose))
                arm = {**self._at_rest(side), "clavicle": shoulder[0], "shoulder01": shoulder[1]}
            for name, turn in arm.items():
                turns[f"{name}.{side}"] = chest @ turn
        return self._chain(turns)

    def _torso(self, pose: Pose) -> dict[str, np.ndarray]:
        forward, aside, twist = pose.lean
        turns = {}
        for place, name in enumerate(_SPINE, start=1):
            share = place / len(_SPINE)
            turns[name] = _turned((twist, forward - 0.006 * pose.breath, aside), share)
        for name, share in _NECK:
            turns[name] = turns["spine01"] @ _turned(pose.head, share)
        return turns

    def _wrist(self, side: str, arm: dict[str, np.ndarray]) -> np.ndarray:
        """Where the wrist comes to be with these turns of the arm's bones, the chest upright."""
        names = ("clavicle", "shoulder01", "upperarm01", "upperarm02", "lowerarm01", "lowerarm02")
        heads = [self.head(f"{name}.{side}") for name in (*names, "wrist")]
        place = heads[0]
        for name, head, after in zip(names, heads[:-1], heads[1:], strict=True):
            place = place + arm[name] @ (after - head)
        return place

    def _at_rest(self, side: str) -> dict[str, np.ndarray]:
        """The turns of an arm that hangs; they are the same in every frame."""
        if side not in self._hanging:
            self._hanging[side] = self._arm(side, self.hanging(side), Pose())
        return self._hanging[side]

    @staticmethod
    def _shoulder(side: str, raised: float) -> tuple[np.ndarray, np.ndarray]:
        """Turns of the collar bone and the shoulder blade."""
        angle = -SIDES[side] * raised
        return about((0, 1, 0), angle), about((0, 1, 0), 0.6 * angle)

    def _measure(self, side: str) -> _Arm:
        def at(name: str) -> np.ndarray:
            return self.head(f"{name}.{side}")

        wrist, index, middle, little = (
            at(name) for name in ("wrist", "finger2-1", "finger3-1", "finger5-1")
        )
        palm = unit(np.cross(index - wrist, little - wrist)) * -SIDES[side]
        axes = []
        for finger in range(1, 6):
            root = at(f"finger{finger}-1")
            tip = self._tails[self._bone[f"finger{finger}-3.{side}"]]
            along = unit(tip - root)
            inwards = 0.5 * (middle + little) - root if finger == 1 else palm
            axes.append(unit(np.cross(along, unit(inwards))))
        upper, fore = at("lowerarm01") - at("upperarm01"), wrist - at("lowerarm01")
        return _Arm(
            unit(upper),
            unit(fore),
            unit(middle - wrist),
            palm,
            float(np.linalg.norm(upper)),
            float(np.linalg.norm(fore)),
            tuple(axes),
        )

    def _arm(self, side: str, hand: Hand, pose: Pose) -> dict[str, np.ndarray]:
        """Turns of an arm's bones against the chest."""
        sign, arm = SIDES[side], self._arms[side]
        lifted = float(np.clip((hand.wrist - self.shoulder(side))[2] / self.reach(side), -1, 1))
        raised = _raised(pose) + 0.16 * max(0.0, lifted + 0.35)
        clavicle, blade = self._shoulder(side, raised)
        root = self.head(f"clavicle.{side}")
        shoulder = root + clavicle @ (self.shoulder(side) - root)
        upper, fore = self._bend(arm, hand, shoulder)
        turn = between(arm.upper, upper)
        elbow = self._about_upper(turn @ arm.fore, upper, fore)
        first, second = about(upper, 0.35 * elbow) @ turn, about(upper, elbow) @ turn
        forearm = between(second @ arm.fore, fore) @ second
        palm = frame(hand.fingers, hand.palm) @ frame(arm.fingers, arm.palm).T
        twist = _twist(palm @ forearm.T, fore)
        turns = {
            "clavicle": clavicle,
            "shoulder01": blade,
            "upperarm01": first,
            "upperarm02": second,
            "lowerarm01": about(fore, 0.15 * twist) @ forearm,
            "lowerarm02": about(fore, 0.60 * twist) @ forearm,
            "wrist": palm,
        }
        for finger in range(5):
            turn = palm
            if finger:
                turn = turn @ about(arm.palm, -sign * hand.spread * (finger - 2))
            else:
                turn = turn @ about(arm.palm, -sign * hand.thumb[0])
                turn = turn @ about(arm.fingers, -sign * hand.thumb[1])
            for joint in range(3):
                turn = turn @ about(arm.axes[finger], float(hand.curl[finger, joint]))
                turns[f"finger{finger + 1}-{joint + 1}"] = turn
        return turns

    @staticmethod
    def _bend(arm: _Arm, hand: Hand, shoulder: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Directions of upper arm and forearm that bring the wrist to its place, or near it."""
        line = hand.wrist - shoulder
        a, b = arm.upper_length, arm.fore_length
        far = float(np.clip(np.linalg.norm(line), abs(a - b) * 1.05, (a + b) * 0.999))
        along = unit(line)
        cosine = np.clip((a * a + far * far - b * b) / (2.0 * a * far), -1.0, 1.0)
        aside = unit(hand.elbow - along * (hand.elbow @ along))
        upper = unit(along * cosine + aside * np.sqrt(1.0 - cosine * cosine))
        return upper, unit(along * far - upper * a)

    @staticmethod
    def _about_upper(fore: np.ndarray, upper: np.ndarray, wanted: np.ndarray) -> float:
        """Angle about the upper arm that brings the elbow's hinge into the arm's plane."""
        have, want = fore - upper * (fore @ upper), wanted - upper * (wanted @ upper)
        if np.linalg.norm(want) < 0.05:
            return 0.0
        have, want = unit(have), unit(want)
        return float(np.arctan2(np.cross(have, want) @ upper, have @ want))

    def _chain(self, turns: dict[str, np.ndarray]) -> np.ndarray:
        out = np.zeros((len(self._names), 3, 4))
        absolute: list[np.ndarray] = []
        for place, name in enumerate(self._names):
            parent = self._parents[place]
            turn = turns.get(name)
            if parent >= 0 and turn is None:
                absolute.append(absolute[parent])
                out[place] = out[parent]
                continue
            turn = np.eye(3) if turn is None else turn
            head = self.heads[place]
            moved = head if parent < 0 else out[parent, :, :3] @ head + out[parent, :, 3]
            absolute.append(turn)
            out[place, :, :3] = turn
            out[place, :, 3] = moved - turn @ head
        return out


def _raised(pose: Pose) -> float:
    """How far the shoulders are up [radians]."""
    return pose.shrug + 0.012 * pose.breath - _DROPPED


def _turned(angles: tuple[float, float, float], share: float) -> np.ndarray:
    yaw, pitch, roll = (share * angle for angle in angles)
    return about((0, 0, 1), yaw) @ about((1, 0, 0), pitch) @ about((0, 1, 0), roll)


def _twist(turn: np.ndarray, axis: np.ndarray) -> float:
    """How far a turn goes about an axis [radians]."""
    pure = between(turn @ axis, axis) @ turn
    angle = float(np.arccos(np.clip((np.trace(pure) - 1.0) / 2.0, -1.0, 1.0)))
    sense = np.array([pure[2, 1] - pure[1, 2], pure[0, 2] - pure[2, 0], pure[1, 0] - pure[0, 1]])
    return angle if sense @ axis >= 0.0 else -angle
