"""Moves the person frame by frame: lips from speech, signs of life, named actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.world.objects import Thing
from avatar_nodes.world.speech import Speech
from avatar_nodes.world.visemes import articulation, lip_track

LIFE_HZ = 25
"""Steps a second in which people blink, glance and nod with their loudness."""
EASE_S = 0.3
ACTING_SIDE = 1
"""Everybody acts with the same hand. With either, and nothing in prompt or picture to tell which,
a model of few steps and little training shows half of an arm on both sides.
"""
ACTIONS: tuple[str, ...] = (
    "rest",
    "wave",
    "nod",
    "shake",
    "point",
    "shrug",
    "thumbs_up",
    "lean",
    "smile",
)
"""The gestures; they need nothing but the person."""

SHOW = "show"
"""The tenth action: an object comes into the picture, and goes when it ends."""

ONE_HANDED: tuple[str, ...] = ("wave", "point", "thumbs_up", SHOW)

ActionSpan = tuple[str, int, int]
"""(action name, first block, block after the last)."""


@dataclass(frozen=True)
class Performance:
    """float32 [frames] arrays, exactly what is drawn, so they are the ground truth.

    aperture, width, rounding, blink, smile in 0..1, and so are press, bite, tongue, clench (see
    `Articulation`) and brow: how far the brows are raised; breath: -1 out .. 1 in; gaze_x, gaze_y,
    head_x, head_y, torso_x, yaw, pitch, lift in pixels; head_turn, torso_turn in radians; wave,
    point, thumbs_up, shrug in 0..1: how far the arm is in that pose; show in 0..1: how far the
    object has come, in a hand or on its stand; wave_angle in radians; side: -1 or +1, the picture
    side of the arm that acts and of the object; thing: the object, if the clip has one.
    """

    aperture: np.ndarray
    width: np.ndarray
    rounding: np.ndarray
    blink: np.ndarray
    smile: np.ndarray
    gaze_x: np.ndarray
    gaze_y: np.ndarray
    head_x: np.ndarray
    head_y: np.ndarray
    head_turn: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    torso_x: np.ndarray
    torso_turn: np.ndarray
    lift: np.ndarray
    wave: np.ndarray
    wave_angle: np.ndarray
    point: np.ndarray
    thumbs_up: np.ndarray
    shrug: np.ndarray
    show: np.ndarray
    press: np.ndarray
    bite: np.ndarray
    tongue: np.ndarray
    clench: np.ndarray
    brow: np.ndarray
    breath: np.ndarray
    side: int
    actions: tuple[ActionSpan, ...]
    thing: Thing | None = None

    @property
    def num_frames(self) -> int:
        return len(self.aperture)

    @staticmethod
    def sample(
        seed: int,
        speech: Speech | None,
        num_frames: int,
        actions: Sequence[ActionSpan] = (),
        thing: Thing | None = None,
        timing: BlockTiming | None = None,
    ) -> Performance:
        """The performance of this seed. Actions start and end at block borders.

        `thing` is what the action `show` shows; timing: of the blocks (None: the defaults).
        Raises ValueError for an unknown action, `show` without a thing, an empty span or
        `num_frames` < 1.
        """
        if num_frames < 1:
            raise ValueError(f"num_frames must be at least 1, not {num_frames}")
        timing = timing or BlockTiming()
        rng = np.random.default_rng([seed, 0x2E])
        tracks = _life(rng, speech, num_frames, timing.frame_rate)
        tracks.update(_subtleties(seed, speech, num_frames, timing.frame_rate))
        side = ACTING_SIDE
        for name, first, last in actions:
            _check(name, first, last, thing)
            _act(tracks, name, first, last, side, timing)
        arrays = {name: values.astype(np.float32) for name, values in tracks.items()}
        return Performance(**arrays, side=side, actions=tuple(actions), thing=thing)

    @staticmethod
    def neutral() -> Performance:
        """One frame at rest, mouth closed, looking ahead: the reference picture's pose."""
        zeros = {name: np.zeros(1, np.float32) for name in TRACKS}
        zeros["width"] = np.full(1, 0.5, np.float32)
        zeros["smile"] = np.full(1, 0.25, np.float32)
        return Performance(**zeros, side=1, actions=(), thing=None)


TRACKS: tuple[str, ...] = tuple(
    f.name for f in fields(Performance) if f.name not in ("side", "actions", "thing")
)
"""The names of a performance's arrays."""


def _check(name: str, first: int, last: int, thing: Thing | None) -> None:
    if name not in (*ACTIONS, SHOW):
        raise ValueError(f"unknown action {name!r}; known are {', '.join((*ACTIONS, SHOW))}")
    if name == SHOW and thing is None:
        raise ValueError(f"action {SHOW} needs a thing to show")
    if not 0 <= first < last:
        raise ValueError(f"action {name} has an empty span of blocks {first}..{last}")


def _life(
    rng: np.random.Generator, speech: Speech | None, frames: int, rate: int
) -> dict[str, np.ndarray]:
    """All tracks of a person who only talks: lips, blinks, glances, sway, a dip with loudness."""
    steps = -(-frames * LIFE_HZ // rate)
    lips = lip_track(speech, frames, rate)
    beat = _held(_loudness(speech, steps), frames, rate)
    drift = _wander(rng, frames, rate)
    tracks = {name: np.zeros(frames) for name in TRACKS}
    tracks.update(
        aperture=lips.aperture.astype(float),
        width=lips.width.astype(float),
        rounding=lips.rounding.astype(float),
        blink=_held(_blinks(rng, steps), frames, rate),
        smile=np.full(frames, 0.25),
        gaze_x=_held(_glances(rng, steps, 1.8), frames, rate),
        gaze_y=_held(_glances(rng, steps, 0.9), frames, rate),
        head_x=1.3 * _wander(rng, frames, rate) + 0.6 * drift,
        head_y=0.9 * _wander(rng, frames, rate),
        head_turn=0.022 * _wander(rng, frames, rate),
        yaw=2.0 * _wander(rng, frames, rate),
        pitch=1.0 * _wander(rng, frames, rate) + 2.2 * beat,
        torso_x=1.6 * drift,
        torso_turn=0.008 * _wander(rng, frames, rate),
    )
    return tracks


def _subtleties(seed: int, speech: Speech | None, frames: int, rate: int) -> dict[str, np.ndarray]:
    """Tracks that only lifelike people show: lips and tongue in detail, brows, breath.

    The brows rise with stress, where speech grows louder, and now and then by themselves.
    """
    rng = np.random.default_rng([seed, 0x3F])
    detail = articulation(speech, frames, rate)
    steps = -(-frames * LIFE_HZ // rate)
    loud = _loudness(speech, steps)
    slow = np.zeros(steps)
    for n in range(1, steps):
        slow[n] = slow[n - 1] + 0.06 * (loud[n] - slow[n - 1])
    stress = np.clip(2.2 * (loud - slow), 0.0, 0.7)
    idle = np.clip(2.0 * np.abs(_glances(rng, steps, 1.0)) - 0.6, 0.0, 0.35)
    phase = rng.random()
    t = np.arange(frames) / rate
    return {
        "press": detail.press.astype(float),
        "bite": detail.bite.astype(float),
        "tongue": detail.tongue.astype(float),
        "clench": detail.clench.astype(float),
        "brow": _held(stress + idle, frames, rate),
        "breath": np.sin(2 * np.pi * (rng.uniform(0.22, 0.30) * t + phase)),
    }


def _held(track: np.ndarray, frames: int, rate: int) -> np.ndarray:
    """Of a track of LIFE_HZ, what holds at the end of each frame: nothing of later steps."""
    at_end = (np.arange(frames) + 1) * LIFE_HZ // rate - 1
    return track[np.maximum(at_end, 0)]


def _wander(rng: np.random.Generator, frames: int, rate: int) -> np.ndarray:
    """Slow smooth movement within -1..1: three sines of 0.07 to 0.36 Hz."""
    t = np.arange(frames) / rate
    total = np.zeros(frames)
    for weight, low, high in ((0.5, 0.07, 0.13), (0.3, 0.13, 0.22), (0.2, 0.22, 0.36)):
        total += weight * np.sin(2 * np.pi * (rng.uniform(low, high) * t + rng.random()))
    return total


def _blinks(rng: np.random.Generator, frames: int) -> np.ndarray:
    shape = np.array([0.35, 0.9, 1.0, 0.75, 0.4, 0.12])
    track = np.zeros(frames + len(shape))
    at = int(rng.integers(10, 80))
    while at < frames:
        track[at : at + len(shape)] = shape
        at += int(rng.integers(45, 120))
    return track[:frames]


def _glances(rng: np.random.Generator, frames: int, reach: float) -> np.ndarray:
    """Mostly at the viewer; now and then a quick look aside, eased over about three frames."""
    track, value, target = np.zeros(frames), 0.0, 0.0
    for n in range(frames):
        if rng.random() < 0.018:
            target = 0.0 if rng.random() < 0.6 else float(rng.uniform(-reach, reach))
        value += 0.45 * (target - value)
        track[n] = value
    return track


def _loudness(speech: Speech | None, frames: int) -> np.ndarray:
    """0..1 per step of LIFE_HZ, from the sound up to that step's end only."""
    out = np.zeros(frames)
    if speech is None:
        return out
    hop = speech.sample_rate // LIFE_HZ
    padded = np.zeros(frames * hop)
    count = min(len(padded), len(speech.samples))
    padded[:count] = speech.samples[:count]
    rms = np.sqrt(np.mean(np.square(padded.reshape(frames, hop)), axis=1))
    value = 0.0
    for n in range(frames):
        value += 0.3 * (min(1.0, rms[n] / 0.12) - value)
        out[n] = value
    return out


def _act(
    tracks: dict[str, np.ndarray], name: str, first: int, last: int, side: int, timing: BlockTiming
) -> None:
    """Add one action over its blocks; it eases out after the last one."""
    frames, size, rate = len(tracks["aperture"]), timing.frames_per_block, timing.frame_rate
    t = (np.arange(frames) + 1 - first * size) / rate
    after = (np.arange(frames) + 1 - last * size) / rate
    hold = _smooth(t / EASE_S) * (1.0 - _smooth(after / EASE_S))
    t = np.maximum(t, 0.0)
    if name in ("wave", "point", "thumbs_up", "shrug", SHOW):
        tracks[name] = np.maximum(tracks[name], hold)
    if name == "wave":
        tracks["wave_angle"] += hold * 0.42 * np.sin(2 * np.pi * 1.6 * t)
        tracks["head_turn"] += hold * 0.035 * side
        tracks["smile"] += hold * 0.35
    elif name == "nod":
        tracks["pitch"] += hold * 6.5 * np.sin(2 * np.pi * 1.25 * t)
        tracks["head_y"] += hold * 1.8 * np.sin(2 * np.pi * 1.25 * t)
    elif name == "shake":
        tracks["yaw"] += hold * 8.5 * np.sin(2 * np.pi * 1.2 * t)
    elif name == "point":
        tracks["yaw"] += hold * 3.5 * side
        tracks["gaze_x"] += hold * 1.8 * side
    elif name == "thumbs_up":
        tracks["smile"] += hold * 0.35
        tracks["pitch"] += hold * 1.2 * np.sin(2 * np.pi * 1.0 * t)
    elif name == "shrug":
        rise = 0.65 + 0.35 * np.sin(2 * np.pi * 0.7 * t)
        tracks["lift"] += hold * 9.0 * rise
        tracks["brow"] = np.maximum(tracks["brow"], 0.9 * hold)
        tracks["head_turn"] += hold * 0.07 * side
        tracks["head_y"] += hold * 1.5
    elif name == "lean":
        tracks["torso_turn"] += hold * 0.085 * side * (0.85 + 0.15 * np.sin(2 * np.pi * 0.5 * t))
        tracks["torso_x"] += hold * 5.0 * side
        tracks["head_turn"] += hold * 0.03 * side
    elif name == SHOW:
        tracks["wave_angle"] += hold * 0.05 * np.sin(2 * np.pi * 0.8 * t)
        tracks["gaze_x"] += hold * np.exp(-t / 0.8) * 1.6 * side
        tracks["smile"] += hold * 0.15
    elif name == "smile":
        tracks["smile"] += hold * 0.75
    tracks["smile"] = np.minimum(tracks["smile"], 1.0)


def _smooth(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)
