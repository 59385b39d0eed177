"""A clip of the tiny world: one person, some speech and pauses, some actions, all from one seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from avatar_nodes.evaluation.aperture import mouth_search_box
from avatar_nodes.training.world import (
    ACTIONS,
    Identity,
    Performance,
    Phone,
    Speech,
    mouth_box,
    render,
    sample_prompt,
    sentences,
    synthesise,
)

FRAMES_PER_BLOCK = 12
SAMPLES_PER_BLOCK = 7680
VOICES = {
    "en": ("en-us", "en-gb-x-rp", "en-us+f3", "en-us+m3", "en-gb-x-rp+f2", "en-us+m7"),
    "de": ("de", "de+f2", "de+m4"),
    "es": ("es", "es+f3"),
    "fr": ("fr", "fr+m2"),
}
"""espeak-ng voices of each language; identities and sentences of the splits never mix."""

_SPLIT_OFFSET = {"train": 0, "val": 400_000_000, "test": 800_000_000}


@dataclass(frozen=True)
class ClipSpec:
    """What a clip shows. `actions` holds (action, first block, block after the last)."""

    seed: int
    split: str
    blocks: int
    identity: int
    actions: tuple[tuple[str, int, int], ...]

    @classmethod
    def sample(cls, seed: int, *, split: str, blocks: int) -> ClipSpec:
        """The clip of this seed: about half of its time an action is being performed."""
        rng = np.random.default_rng([seed, _SPLIT_OFFSET[split]])
        spans: list[tuple[str, int, int]] = []
        block = int(rng.integers(0, 5))
        while block < blocks - 2:
            length = int(rng.integers(3, 9))
            name = ACTIONS[int(rng.integers(len(ACTIONS)))]
            spans.append((name, block, min(blocks, block + length)))
            block += length + int(rng.integers(2, 9))
        identity = _SPLIT_OFFSET[split] + int(rng.integers(100_000_000))
        return cls(seed, split, blocks, identity, tuple(spans))


class Clip:
    """Renders the frames of a `ClipSpec`, with sound and ground truth."""

    def __init__(self, spec: ClipSpec) -> None:
        self.spec = spec
        self.identity = Identity.sample(spec.identity)
        self.speech = _soundtrack(spec)
        self.performance = Performance.sample(
            spec.seed, self.speech, spec.blocks * FRAMES_PER_BLOCK, spec.actions
        )

    @property
    def sound(self) -> np.ndarray:
        """float32 [blocks * 7680] in -1..1 at 16 kHz."""
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
            wording = sample_prompt(rng, name, held_out=held_out)
            lines[first:last] = [wording] * (last - first)
        return tuple(lines)

    def frame(self, n: int) -> np.ndarray:
        """uint8 RGB [256, 256, 3]."""
        return render(self.identity, self.performance, n)

    def mouth_box(self, n: int) -> tuple[int, int, int, int]:
        """Pixels (x0, y0, x1, y1) of frame n's mouth."""
        return mouth_box(self.identity, self.performance, n)

    @property
    def search_box(self) -> tuple[int, int, int, int]:
        """Pixels (x0, y0, x1, y1) within which the mouth stays whatever the person does."""
        return mouth_search_box(self.identity)

    def reference(self) -> np.ndarray:
        """uint8 RGB [256, 256, 3]: the person at rest."""
        return render(self.identity, Performance.neutral(), 0)


def _soundtrack(spec: ClipSpec) -> Speech:
    """Sentences in one voice with pauses between them; one clip in eight is silent throughout."""
    rng = np.random.default_rng([spec.seed, 3])
    total = spec.blocks * SAMPLES_PER_BLOCK
    samples = np.zeros(total, np.float32)
    phones: list[Phone] = []
    languages = ["en"] * 6 + [name for name in VOICES if name != "en"]
    language = languages[int(rng.integers(len(languages)))]
    voice = VOICES[language][int(rng.integers(len(VOICES[language])))]
    texts = [item.text for item in sentences(spec.split) if item.language == language]
    rate, pitch = int(rng.integers(130, 200)), int(rng.integers(25, 75))
    loudness = float(10 ** rng.uniform(-0.5, 0.0))
    place = int(rng.uniform(0.0, 2.0) * 16_000)
    silent = rng.random() < 0.125
    while not silent and place < total - 16_000:
        text = texts[int(rng.integers(len(texts)))]
        said = synthesise(text, voice=voice, rate=rate, pitch=pitch)
        length = min(len(said.samples), total - place)
        samples[place : place + length] += loudness * said.samples[:length]
        later = place / 16_000
        phones += [Phone(p.ipa, p.start_s + later, p.end_s + later) for p in said.phones]
        pause = rng.exponential(0.5) if rng.random() < 0.75 else rng.uniform(1.0, 4.0)
        place += length + int((0.15 + pause) * 16_000)
    if not silent:
        samples += (10 ** rng.uniform(-5.0, -3.0) * rng.standard_normal(total)).astype(np.float32)
    return Speech(np.clip(samples, -1.0, 1.0), tuple(phones))
