"""Pre-training of the text encoder: what it reads, and what it never gets to read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_nodes.model.text import TextEncoder
from avatar_nodes.training.stages.text import (
    MEANINGS,
    PromptReader,
    TextTraining,
    draw_prompt,
    held_out_prompts,
    mean_state,
    reworded,
    train_text,
)
from avatar_nodes.world.motion import ACTIONS, SHOW
from avatar_nodes.world.objects import Thing
from avatar_nodes.world.phrases import compose_prompt
from avatar_nodes.world.prompts import MAX_BYTES, named_thing, prompts

SHOWN = [Thing("ball", "red", "hand"), Thing("cup", "orange", "stand")]
ASKED: list[tuple[str, Thing | None]] = [(name, None) for name in ACTIONS]
ASKED += [(SHOW, thing) for thing in SHOWN]


@pytest.mark.parametrize(("action", "thing"), ASKED)
def test_training_reads_no_held_out_wording(action: str, thing: Thing | None) -> None:
    """Neither what is composed, nor what an aside or a word left out makes of it."""
    rng = np.random.default_rng(0)
    sentences = prompts(action, held_out=True, thing=thing)
    held_out = tuple(text.split(" ", 2)[2].rstrip(".") for text in sentences)
    composed = {compose_prompt(rng, action, thing) for _ in range(3000)}
    written = [*composed, *prompts(action, thing=thing)]
    read = composed | {reworded(rng, text, 0.12) for text in written for _ in range(3)}
    assert len(composed) > 200
    assert all(len(text.encode()) <= MAX_BYTES for text in read)
    assert not [text for text in read if text.rstrip(".").endswith(held_out)]


def test_composed_prompts_name_the_thing() -> None:
    thing = Thing("cup", "orange", "stand")
    rng = np.random.default_rng(1)
    assert all("orange cup" in compose_prompt(rng, SHOW, thing) for _ in range(50))


def test_a_prompt_keeps_its_meaning_beside_it() -> None:
    rng = np.random.default_rng(2)
    drawn = [draw_prompt(rng) for _ in range(300)]
    assert {said["action"] for _, said in drawn} == set(MEANINGS["action"])
    assert 10 < sum(said["kind"] == "it" for _, said in drawn) < 40  # a fifth of a quarter
    for text, said in drawn:
        if said["kind"] == "it":
            assert " it" in text and named_thing(text) is None
        elif said["action"] == SHOW:
            assert f"{said['colour']} {said['kind']}" in text
        else:
            assert said["kind"] == said["colour"] == said["place"] == "none"


def test_rewording_without_loss_keeps_the_words() -> None:
    rng = np.random.default_rng(3)
    lines = {reworded(rng, "A person waves a hand.", 0.0).lower() for _ in range(40)}
    assert all("waves a hand" in line for line in lines)
    assert len(lines) > 5
    assert all(len(reworded(rng, "x" * 62, 0.5)) <= MAX_BYTES for _ in range(20))


def test_the_mean_counts_only_what_is_there() -> None:
    states = torch.zeros(1, 4, 2)
    states[0, 0] = torch.tensor([2.0, 4.0])
    states[0, 1] = torch.tensor([4.0, 0.0])
    assert mean_state(states).tolist() == [[3.0, 2.0]]


def test_the_loss_is_the_entropy_of_a_guess_at_first() -> None:
    torch.manual_seed(0)
    reader = PromptReader(TextEncoder.tiny(text_dim=16, text_len=64))
    for head in reader.heads.values():
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    labels = torch.zeros(2, len(MEANINGS), dtype=torch.long)
    expected = sum(1.5 * np.log(len(values)) for values in MEANINGS.values())
    assert reader.loss(["wave", "a nod"], labels).item() == pytest.approx(expected, rel=1e-4)


def test_it_learns_and_exports_what_loads(tmp_path: Path) -> None:
    options = TextTraining(steps=12, batch=8, warmup=2)
    first = train_text(options, folder=tmp_path, text_dim=16, text_len=64, resume=False)
    assert set(first) == set(MEANINGS)
    encoder = TextEncoder.load(tmp_path / "export", text_len=64)
    assert encoder.encode("A person waves.").shape == (16, 16)
    texts = [text for text, _ in held_out_prompts(5)]
    assert texts == [text for text, _ in held_out_prompts(5)]
