"""Measures what long memory holds of a long true stream: is a thing still there when shown again?

No model is run: the world's own pictures are encoded and offered to banks of key frames that differ
in their rules, so that the selection is measured by itself. In a share of the blocks the picture
is spoilt, as a fault of a decoder or camera would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.clips.encoders import encode_frames
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.model.tiny_vae import TinyVAE
from avatar_nodes.remembering.frame_features import FrameFeatures
from avatar_nodes.remembering.key_frames import KeyFrameRules, KeyFrames
from avatar_nodes.world.clips import Clip, ClipSpec
from avatar_nodes.world.motion import SHOW
from avatar_nodes.world.objects import Thing

SCENE_BLOCKS = 20
"""A scene is 9.6 s of 25 frames a second: gestures and speech of the person, and one thing shown
for 1.9 s.
"""
_SHOWN_BLOCKS = 4
_SEEN_AGAIN_SHARE = 0.5
"""Share of the things shown that were shown before."""
_IN_SIGHT = 0.9


@dataclass(frozen=True)
class Scene:
    """Some seconds of a stream: a clip in which one thing is shown."""

    clip: Clip
    first: int
    """Block in which the thing begins to be shown."""
    thing: Thing
    again: bool
    """True if an earlier scene showed it."""


@dataclass(frozen=True)
class LatentFrame:
    """A latent frame of a stream, as a candidate for long memory."""

    block: int
    feature: np.ndarray
    """float64 [D], length 1."""
    shows: Thing | None
    """The thing in sight in all of its pictures."""
    spoilt: bool


def scenes(seed: int, count: int, timing: BlockTiming) -> Iterator[Scene]:
    """Scenes of one person of the test split, who shows a thing in each, often one seen before."""
    rng = np.random.default_rng([seed, 23])
    identity = ClipSpec.sample(seed, split="test", blocks=SCENE_BLOCKS).identity
    known: list[Thing] = []
    for number in range(count):
        # what was shown in the scene before may still be in short memory
        earlier = known[:-1]
        again = bool(earlier) and rng.random() < _SEEN_AGAIN_SHARE
        thing = earlier[int(rng.integers(len(earlier)))] if again else _another(rng, known)
        first = int(rng.integers(2, SCENE_BLOCKS - _SHOWN_BLOCKS - 1))
        spec = ClipSpec.sample(seed + 1 + number, split="test", blocks=SCENE_BLOCKS, timing=timing)
        actions = (*_apart(spec.actions, first), (SHOW, first, first + _SHOWN_BLOCKS))
        spec = replace(spec, identity=identity, actions=tuple(sorted(actions, key=lambda a: a[1])))
        yield Scene(Clip(replace(spec, thing=thing)), first, thing, again)
        if again:
            known.remove(thing)
        known.append(thing)


def _another(rng: np.random.Generator, known: list[Thing]) -> Thing:
    thing = Thing.sample(rng)
    while any((thing.kind, thing.colour) == (other.kind, other.colour) for other in known):
        thing = Thing.sample(rng)
    return thing


def _apart(actions: tuple[tuple[str, int, int], ...], first: int) -> Iterator[tuple[str, int, int]]:
    """The gestures that are over before the thing is shown, or begin after it is gone."""
    for name, start, end in actions:
        if name != SHOW and (end < first or start > first + _SHOWN_BLOCKS):
            yield name, start, end


def spoil(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """uint8 RGB [F, H, W, 3] as a fault would leave it: noise, torn, or with its colours turned."""
    kind = int(rng.integers(3))
    if kind == 0:
        return rng.integers(0, 256, frames.shape, dtype=np.uint8)
    if kind == 1:
        return np.roll(frames, (frames.shape[1] // 2, frames.shape[2] // 2), axis=(1, 2))
    return 255 - frames


@torch.inference_mode()
def latent_frames(
    scene: Scene, vae: TinyVAE, features: FrameFeatures, rng: np.random.Generator,
    *, spoilt_share: float, first_block: int,
) -> Iterator[list[LatentFrame]]:  # fmt: skip
    """The latent frames of a scene, block by block."""
    clip, timing = scene.clip, scene.clip.spec.timing
    size, latents = timing.frames_per_block, timing.latents_per_block
    visible = np.greater_equal(clip.object_visible, _IN_SIGHT)
    for block in range(clip.spec.blocks):
        first = block * size
        frames = np.stack([clip.frame(first + n) for n in range(size)])
        spoilt = rng.random() < spoilt_share
        if spoilt:
            frames = spoil(frames, rng)
        latent = torch.from_numpy(encode_frames(vae, frames)).transpose(0, 1)
        found = features.describe(latent, frames)
        shown = visible[first : first + size].reshape(latents, -1).all(axis=1)
        yield [
            LatentFrame(first_block + block, found[n], scene.thing if shown[n] else None, spoilt)
            for n in range(latents)
        ]


@dataclass
class _Bank:
    """One row's bank, and its figures so far."""

    keys: KeyFrames[LatentFrame]
    recalled: list[bool] = field(default_factory=list)
    spoilt: list[float] = field(default_factory=list)
    """Share of the bank, once a scene."""
    replaced: list[int] = field(default_factory=list)
    """Replacements so far, once a scene."""

    def recall(self, thing: Thing) -> None:
        self.recalled.append(any(k.shows == thing and not k.spoilt for k in self.keys.items))

    def look(self) -> None:
        held = self.keys.items
        self.spoilt.append(float(np.mean([k.spoilt for k in held])) if held else 0.0)
        self.replaced.append(self.keys.replaced)


@torch.inference_mode()
def evaluate_key_frames(
    rules: Mapping[str, KeyFrameRules], vae: TinyVAE, features: FrameFeatures, *, people: int,
    minutes: float, spoilt_share: float, short: int, seed: int = 950_000,
    timing: BlockTiming | None = None, tell: Callable[[str], None] = print,
) -> Figures:  # fmt: skip
    """A row for each bank: of the things shown again the share whose picture it held (`recall`),
    the mean share of spoilt frames in it, replacements a minute in the first and the last third,
    mean cosine between its frames at the end.

    short: latent frames that a frame passes before it is a candidate.
    """
    timing = timing or BlockTiming()
    scene_minutes = SCENE_BLOCKS * timing.block_s / 60.0
    count = max(3, round(minutes / scene_minutes))
    banks: dict[str, list[_Bank]] = {name: [] for name in rules}
    shown_again = 0
    for person in range(people):
        rng = np.random.default_rng([seed, person, 29])
        now = {name: _Bank(KeyFrames(rule)) for name, rule in rules.items()}
        shown_again += _stream(
            seed + 10_000 * person, now, vae, features, rng, timing,
            count=count, spoilt_share=spoilt_share, short=short,
        )  # fmt: skip
        for name, bank in now.items():
            banks[name].append(bank)
        tell(f"person {person + 1}/{people}: {count} scenes, {count * SCENE_BLOCKS} blocks")
    figures: Figures = {
        "people": people,
        "minutes": count * scene_minutes,
        "spoilt_share": spoilt_share,
        "shown_again": shown_again,
    }
    return figures | {name: _row(found, scene_minutes) for name, found in banks.items()}


def _stream(
    seed: int, banks: Mapping[str, _Bank], vae: TinyVAE, features: FrameFeatures,
    rng: np.random.Generator, timing: BlockTiming, *, count: int, spoilt_share: float, short: int,
) -> int:  # fmt: skip
    """Lead one stream past all banks; the number of things that were shown again."""
    recent: list[LatentFrame] = []
    reference: np.ndarray | None = None
    shown_again = 0
    for number, scene in enumerate(scenes(seed, count, timing)):
        if reference is None:
            still = np.repeat(scene.clip.reference()[None], timing.frames_per_latent, axis=0)
            latent = torch.from_numpy(encode_frames(vae, still)).transpose(0, 1)
            reference = features.describe(latent, still)[0]
        blocks = latent_frames(
            scene, vae, features, rng,
            spoilt_share=spoilt_share, first_block=number * SCENE_BLOCKS,
        )  # fmt: skip
        for block, frames in enumerate(blocks):
            if scene.again and block == scene.first:
                shown_again += 1
                for bank in banks.values():
                    bank.recall(scene.thing)
            recent += frames
            cut = max(0, len(recent) - short)
            leaving, recent = recent[:cut], recent[cut:]
            for bank in banks.values():
                for frame in leaving:
                    bank.keys = bank.keys.offer(frame, frame.feature, reference)
        for bank in banks.values():
            bank.look()
    return shown_again


def _row(banks: list[_Bank], scene_minutes: float) -> Figures:
    third = len(banks[0].replaced) // 3
    minutes = third * scene_minutes
    recalled = [hit for bank in banks for hit in bank.recalled]
    return {
        "recall": float(np.mean(recalled)) if recalled else None,
        "spoilt": float(np.mean([share for bank in banks for share in bank.spoilt])),
        "replaced_a_minute_first": float(np.mean([b.replaced[third - 1] for b in banks])) / minutes,
        "replaced_a_minute_last": float(
            np.mean([b.replaced[-1] - b.replaced[-1 - third] for b in banks])
        ) / minutes,
        "similarity": float(np.mean([bank.keys.similarity for bank in banks])),
    }  # fmt: skip
