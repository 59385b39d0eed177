import numpy as np
import pytest

from avatar_nodes.training.world.motion import ACTIONS
from avatar_nodes.training.world.prompts import prompts, sample_prompt


def test_held_out_wordings_are_never_trained_on() -> None:
    trained = {p for action in ACTIONS for p in prompts(action)}
    held_out = {p for action in ACTIONS for p in prompts(action, held_out=True)}
    assert not trained & held_out


def test_no_wording_stands_for_two_actions() -> None:
    every = [
        p
        for action in ACTIONS
        for held_out in (False, True)
        for p in prompts(action, held_out=held_out)
    ]
    assert len(every) == len(set(every))


def test_the_same_generator_gives_the_same_wording() -> None:
    first, again = (sample_prompt(np.random.default_rng(3), "wave") for _ in range(2))
    assert first == again and first in prompts("wave")


def test_unknown_action_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown action"):
        prompts("dance")
