"""Other words for the same prompt: the meaning stays, nothing that is held out is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.training_run import write_run

from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.data.rewording import asked_for, say_otherwise
from avatar_nodes.world.motion import ACTIONS, SHOW
from avatar_nodes.world.objects import Thing
from avatar_nodes.world.prompts import named_thing, prompts

BALL = Thing("ball", "red", "hand")
DUCK = Thing("toy duck", "orange", "stand")


def test_every_sentence_of_the_clips_is_understood() -> None:
    for action in ACTIONS:
        assert {asked_for(text) for text in prompts(action)} == {(action, None)}
    for thing in (BALL, DUCK):
        assert {asked_for(text) for text in prompts(SHOW, thing=thing)} == {(SHOW, thing)}


@pytest.mark.parametrize("prompt", ["", "A person shows it.", "The queen waves.", "a red ball"])
def test_what_is_not_understood_stays_as_it_is(prompt: str) -> None:
    assert asked_for(prompt) is None
    assert say_otherwise(np.random.default_rng(0), prompt) == prompt


@pytest.mark.parametrize("thing", [None, BALL, DUCK], ids=["gesture", "hand", "stand"])
def test_the_same_is_said_in_many_words(thing: Thing | None) -> None:
    rng = np.random.default_rng(0)
    action = "wave" if thing is None else SHOW
    prompt = prompts(action, thing=thing)[0]
    said = {say_otherwise(rng, prompt) for _ in range(200)}
    assert len(said) > 80
    assert {named_thing(text) for text in said} == {None if thing is None else thing.name}
    assert not said & set(prompts(action, held_out=True, thing=thing))


def test_windows_are_reworded_in_the_share_that_is_asked_for(tmp_path: Path) -> None:
    """One wording a clip and prompt within a window; the clips stay as they are."""
    folder = write_run(tmp_path) / "encoded"
    wave, rest = prompts("wave")[0], prompts("rest")[0]
    data = EncodedClips(folder, "train", reword_share=0.5)
    data.prompts = [[rest, wave, wave, rest] for _ in data.prompts]
    said: list[str] = []
    for seed in range(60):
        batch = data.batch(np.random.default_rng(seed), 1, 4)
        first, second, third, last = (batch.prompts[n] for n in batch.prompt_index[0].tolist())
        assert (first, second) == (last, third)
        assert batch.prompts[int(batch.sink_prompt)] == first
        said.append(second)
    assert 0.35 < np.mean([text == wave for text in said]) < 0.65
    assert len(set(said)) > 15
    plain = EncodedClips(folder, "train").batch(np.random.default_rng(0), 1, 4)
    assert set(plain.prompts) <= {line for lines in EncodedClips(folder, "train").prompts
                                  for line in lines}  # fmt: skip
