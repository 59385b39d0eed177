"""A pipeline that remembers: the oracle of a graph with visual memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from support.settings import settings_of
from support.tiny_checkpoint import SIDE, build_tiny_checkpoint

from avatar_nodes.block.block import Prompt
from avatar_nodes.conducting.build import PromptEncoder
from avatar_nodes.conducting.settings import FeatureSettings, PromptSettings
from avatar_nodes.decoding.settings import DecoderSettings
from avatar_nodes.denoising.settings import DenoiserSettings
from avatar_nodes.model.checkpoint import CheckpointError
from avatar_nodes.model.dit_config import MemoryConfig
from avatar_nodes.pipeline.assembly import build_pipeline
from avatar_nodes.pipeline.pipeline import Pipeline
from avatar_nodes.remembering.build import build_memory
from avatar_nodes.remembering.settings import MemorySettings

REFERENCE = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
BLOCKS = 7
SOUND = np.random.default_rng(2).normal(0, 3000, 7680 * BLOCKS).astype(np.int16)
RULES: dict[str, Any] = {"lag": 2, "gate": -1.0, "half_life": 10.0}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_checkpoint(
        tmp_path_factory.mktemp("model") / "checkpoint",
        memory=MemoryConfig(short=4, long=3, hidden=16, heads=2),
    )


def _pipeline(
    checkpoint: Path, split: Sequence[Sequence[int]] = ([0, 1, 2, 3],),
    rules: dict[str, Any] | None = RULES,
) -> Pipeline:  # fmt: skip
    return build_pipeline(
        [settings_of(DenoiserSettings, checkpoint, steps=list(steps)) for steps in split],
        settings_of(DecoderSettings, checkpoint),
        settings_of(FeatureSettings, checkpoint),
        None if rules is None else settings_of(MemorySettings, checkpoint, **rules),
        cache_switching=True,
    )


def _prompts(checkpoint: Path) -> tuple[Prompt, Prompt]:
    encoder = PromptEncoder(settings_of(PromptSettings, checkpoint))
    return encoder.encode("a person talks"), encoder.encode("a person waves")


def _render(
    pipeline: Pipeline, prompts: tuple[Prompt, Prompt], *, recover_before: int = -1, first: int = 0
) -> np.ndarray:
    """The blocks' frames; from the fourth block on another prompt."""
    pipeline.start(REFERENCE, prompts[0], seed=3, first_block=first)
    frames = []
    for n, block in enumerate(np.split(SOUND, BLOCKS)):
        if n == 3:
            pipeline.set_prompt(prompts[1])
        if n == recover_before:
            pipeline.recover()
        frames.append(pipeline.render_block(block))
    return np.stack(frames)


def test_the_same_frames_however_it_is_run(checkpoint: Path) -> None:
    prompts = _prompts(checkpoint)
    expected = _render(_pipeline(checkpoint), prompts)
    again = _pipeline(checkpoint, ([0], [1, 2], [3]))
    assert np.array_equal(_render(again, prompts), expected)
    assert np.array_equal(_render(again, prompts), expected)  # a second stream starts clean
    assert np.array_equal(_render(again, prompts, first=10**7), expected)
    plain = _render(_pipeline(checkpoint, rules=None), prompts)
    same = [np.array_equal(a, b) for a, b in zip(plain, expected, strict=True)]
    assert same == [True, True] + [False] * 5


@pytest.mark.parametrize("before", [3, 5])
def test_recovery_is_the_same_in_every_split(checkpoint: Path, before: int) -> None:
    prompts = _prompts(checkpoint)
    whole = _render(_pipeline(checkpoint), prompts, recover_before=before)
    split = _render(_pipeline(checkpoint, ([0, 1], [2, 3])), prompts, recover_before=before)
    assert np.array_equal(split, whole)


def test_the_rules_of_memory_act(checkpoint: Path) -> None:
    prompts = _prompts(checkpoint)
    made = [
        _render(_pipeline(checkpoint, rules=rules), prompts)
        for rules in (RULES, {"lag": 2, "long": 0}, {"lag": 2, "short": 0}, {"lag": 3})
    ]
    assert not any(np.array_equal(a, made[0]) for a in made[1:])


def test_what_cannot_be_built(checkpoint: Path, tmp_path: Path) -> None:
    plain = build_tiny_checkpoint(tmp_path / "plain")
    with pytest.raises(CheckpointError, match="memory: a compressor needs this section"):
        build_memory(settings_of(MemorySettings, plain, **RULES))
    for wrong in ({"lag": 0}, {"gate": 3.0}, {"half_life": -1.0}, {"short": -2}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            settings_of(MemorySettings, checkpoint, **wrong)
