"""Makes clips of the tiny world by seed: a person, speech, pauses, actions, at times an object."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.world import (
    ACTIONS,
    SHOW,
    Box,
    Identity,
    Performance,
    Phone,
    Speech,
    Thing,
    face_box,
    hand_boxes,
    mouth_box,
    mouth_search_box,
    render,
    room,
    sample_prompt,
    sentences,
    thing_box,
    thing_visible,
)
from avatar_nodes.world.alignment import AlignmentError
from avatar_nodes.world.voices import (
    OTHER_VOICES,
    UNHEARD_OTHERS,
    UNHEARD_VOICES,
    VOICES,
    say,
)

SIZE = 256
"""Side of the pictures in pixels."""

OBJECT_SHARE = 0.3
"""Share of the clips that show an object; in a third of those it is hidden and returns."""

_SPLIT_OFFSET = {"train": 0, "val": 400_000_000, "test": 800_000_000}


@dataclass(frozen=True)
class ClipSpec:
    """The plan of a clip. `actions` holds (action, first block, block after the last).

    `thing` is the object that its actions named `show` show: the same one each time; `timing` is
    that of the model that it is for. other_voice: spoken by another synthesiser than espeak-ng,
    where one speaks the clip's language.
    """

    seed: int
    split: str
    blocks: int
    identity: int
    actions: tuple[tuple[str, int, int], ...]
    thing: Thing | None = None
    unheard_voice: bool = False
    other_voice: bool = False
    timing: BlockTiming = field(default_factory=BlockTiming)

    @classmethod
    def sample(
        cls, seed: int, *, split: str, blocks: int, unheard_voice: bool = False,
        other_voice_share: float = 0.0, timing: BlockTiming | None = None,
    ) -> ClipSpec:  # fmt: skip
        """The clip of this seed: about half of its time an action is being performed.

        timing: of its blocks (None: the defaults). other_voice_share: how many clips of a hundred
        have a voice of another synthesiser, / 100. `unheard_voice` gives it one of the voices that
        training never hears. Raises ValueError if that is asked of another split than 'test', or
        for an unknown split.
        """
        if split not in _SPLIT_OFFSET:
            raise ValueError(f"unknown split {split!r}; known are {', '.join(_SPLIT_OFFSET)}")
        if unheard_voice and split != "test":
            raise ValueError(f"unheard voices are for the test split only, not {split!r}")
        rng = np.random.default_rng([seed, _SPLIT_OFFSET[split]])
        spans: list[tuple[str, int, int]] = []
        block = int(rng.integers(0, 5))
        while block < blocks - 2:
            length = int(rng.integers(3, 9))
            name = ACTIONS[int(rng.integers(len(ACTIONS)))]
            spans.append((name, block, min(blocks, block + length)))
            block += length + int(rng.integers(2, 9))
        identity = _SPLIT_OFFSET[split] + int(rng.integers(100_000_000))
        thing, actions = _with_object(seed, split, blocks, tuple(spans))
        other_voice = np.random.default_rng([seed, 17]).random() < other_voice_share
        return cls(
            seed, split, blocks, identity, actions, thing, unheard_voice, other_voice,
            timing or BlockTiming(),
        )  # fmt: skip


def _with_object(
    seed: int, split: str, blocks: int, spans: tuple[tuple[str, int, int], ...]
) -> tuple[Thing | None, tuple[tuple[str, int, int], ...]]:
    """Give a share of the clips an object, shown instead of some of their gestures.

    Where it returns, actions and pauses are short, so that even twelve blocks hold both times.
    """
    rng = np.random.default_rng([seed, _SPLIT_OFFSET[split], 11])
    if rng.random() >= OBJECT_SHARE or not spans:
        return None, spans
    thing, shows = Thing.sample(rng), 1
    if rng.random() < 1 / 3:
        shows = 2 + int(rng.integers(2))
        names, block = [name for name, _, _ in spans], int(rng.integers(0, 3))
        brief: list[tuple[str, int, int]] = []
        while block < blocks - 2:
            length = int(rng.integers(2, 5))
            brief.append((names[len(brief) % len(names)], block, min(blocks, block + length)))
            block += length + int(rng.integers(2, 4))
        spans = tuple(brief)
    shown = rng.permutation(len(spans))[:shows]
    return thing, tuple(
        (SHOW if place in shown else name, first, last)
        for place, (name, first, last) in enumerate(spans)
    )


class Clip:
    """Renders the frames of a `ClipSpec`, with sound and ground truth."""

    SOURCE: ClassVar[str] = "world"

    def __init__(self, spec: ClipSpec, *, speech: Speech | None = None) -> None:
        """speech: what is said, at the timing's sample rate; None is the plan's own."""
        self.spec = spec
        self.size = SIZE
        """Side of the pictures in pixels."""
        self.identity = Identity.sample(spec.identity)
        self.speech = _soundtrack(spec) if speech is None else speech
        frames = spec.blocks * spec.timing.frames_per_block
        self.performance = Performance.sample(
            spec.seed, self.speech, frames, spec.actions, spec.thing, spec.timing
        )

    @property
    def sound(self) -> np.ndarray:
        """float32 [blocks * samples a block] in -1..1, at the timing's sample rate."""
        return self.speech.samples

    @property
    def aperture(self) -> np.ndarray:
        """float32 [frames], 0 closed .. 1 wide open: what is drawn."""
        return self.performance.aperture

    @cached_property
    def prompts(self) -> tuple[str, ...]:
        """One prompt a block."""
        rng = np.random.default_rng([self.spec.seed, 7])
        held_out = self.spec.split == "test"
        lines = [sample_prompt(rng, "rest", held_out=held_out)] * self.spec.blocks
        for name, first, last in self.spec.actions:
            wording = sample_prompt(rng, name, held_out=held_out, thing=self.spec.thing)
            lines[first:last] = [wording] * (last - first)
        return tuple(lines)

    def frame(self, n: int) -> np.ndarray:
        """uint8 RGB [256, 256, 3]."""
        return render(self.identity, self.performance, n)

    @cached_property
    def frames(self) -> np.ndarray:
        """uint8 RGB [frames, size, size, 3]: all frames."""
        return np.stack([self.frame(n) for n in range(self.performance.num_frames)])

    def room(self) -> np.ndarray:
        """uint8 RGB [size, size, 3]: what is behind the person."""
        return room(self.identity)

    def face_box(self, n: int) -> Box:
        """Pixels (x0, y0, x1, y1) of frame n's face, from brows or hair to chin."""
        return face_box(self.identity, self.performance, n)

    def hand_boxes(self, n: int) -> list[Box]:
        """Pixels (x0, y0, x1, y1) of frame n's raised hands; they may lie partly outside."""
        return hand_boxes(self.identity, self.performance, n)

    def mouth_box(self, n: int) -> Box:
        """Pixels (x0, y0, x1, y1) of frame n's mouth."""
        return mouth_box(self.identity, self.performance, n)

    @cached_property
    def object_visible(self) -> np.ndarray:
        """float32 [frames]: how much of the object is in the picture, 0 hidden .. 1 all of it."""
        frames = range(self.performance.num_frames)
        shares = [thing_visible(self.identity, self.performance, n) for n in frames]
        return np.array(shares, np.float32)

    def object_box(self, n: int) -> Box | None:
        """Pixels (x0, y0, x1, y1) of frame n's object, cut at the picture's edge; None if hidden.

        A part of it may be behind the hand that holds it.
        """
        if self.object_visible[n] <= 0.0:
            return None
        x0, y0, x1, y1 = thing_box(self.identity, self.performance, n)
        return max(0, x0), max(0, y0), min(SIZE, x1), min(SIZE, y1)

    @property
    def search_box(self) -> Box:
        """Pixels (x0, y0, x1, y1) within which the mouth stays during every action."""
        return mouth_search_box(self.identity)

    def reference(self) -> np.ndarray:
        """uint8 RGB [256, 256, 3]: the person at rest."""
        return render(self.identity, Performance.neutral(), 0)


class Film(Protocol):
    """Makes a clip of its plan, in one of the worlds: `Clip` itself, or lifelike people's."""

    def __call__(self, spec: ClipSpec, *, speech: Speech | None = None) -> Clip:
        """As `Clip`."""
        ...


def _voices(spec: ClipSpec, language: str) -> tuple[str, tuple[str, ...]]:
    """Who may speak in a clip, and in which language: training's other voices speak three."""
    known = UNHEARD_VOICES if spec.unheard_voice else VOICES
    if not spec.other_voice:
        return language, known[language]
    others = UNHEARD_OTHERS if spec.unheard_voice else OTHER_VOICES
    if language in others:
        return language, others[language]
    return ("en", others["en"]) if spec.unheard_voice else (language, known[language])


def _soundtrack(spec: ClipSpec) -> Speech:
    """Sentences in one voice with pauses between them; one clip in eight is silent throughout."""
    rng = np.random.default_rng([spec.seed, 3])
    total, second = spec.blocks * spec.timing.samples_per_block, spec.timing.sample_rate
    samples = np.zeros(total, np.float32)
    phones: list[Phone] = []
    languages = ["en"] * 6 + [name for name in VOICES if name != "en"]
    language = languages[int(rng.integers(len(languages)))]
    language, voices = _voices(spec, language)
    voice = voices[int(rng.integers(len(voices)))]
    texts = [item.text for item in sentences(spec.split) if item.language == language]
    rate, pitch = int(rng.integers(130, 200)), int(rng.integers(25, 75))
    loudness = float(10 ** rng.uniform(-0.5, 0.0))
    place = int(rng.uniform(0.0, 2.0) * second)
    silent = rng.random() < 0.125
    while not silent and place < total - second:
        text = texts[int(rng.integers(len(texts)))]
        try:
            said = say(text, voice=voice, rate=rate, pitch=pitch, sample_rate=second)
        except AlignmentError:  # a name that no dictionary has: say something else
            continue
        length = min(len(said.samples), total - place)
        samples[place : place + length] += loudness * said.samples[:length]
        later = place / second
        phones += [Phone(p.ipa, p.start_s + later, p.end_s + later) for p in said.phones]
        pause = rng.exponential(0.5) if rng.random() < 0.75 else rng.uniform(1.0, 4.0)
        place += length + int((0.15 + pause) * second)
    if not silent:
        samples += (10 ** rng.uniform(-5.0, -3.0) * rng.standard_normal(total)).astype(np.float32)
    return Speech(np.clip(samples, -1.0, 1.0), tuple(phones), second)
