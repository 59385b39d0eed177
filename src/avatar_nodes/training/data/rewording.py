"""Says the prompts of a clip in other words, anew for every window that is trained on.

A clip keeps one wording of each of its actions. A model that reads the same few sentences over and
over learns them by heart, and takes one it does not know for another action.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from avatar_nodes.world.motion import ACTIONS, SHOW
from avatar_nodes.world.objects import COLOURS, KINDS, PLACES, Thing
from avatar_nodes.world.phrases import compose_prompt
from avatar_nodes.world.prompts import named_thing, prompts, sample_prompt, without_name

_COMPOSED_SHARE = 0.7
"""Sentences put together of phrases; the others are the clips' own wordings."""


@cache
def _meanings() -> dict[str, tuple[str, str]]:
    """The action and the place of the thing, for every training sentence, its thing called "it"."""
    found = {text: (action, "") for action in ACTIONS for text in prompts(action)}
    for place in PLACES:
        thing = Thing(KINDS[0], next(iter(COLOURS)), place)
        found |= {without_name(text): (SHOW, place) for text in prompts(SHOW, thing=thing)}
    return found


def asked_for(prompt: str) -> tuple[str, Thing | None] | None:
    """The action and the thing of one of the clips' sentences; None for any other sentence."""
    name = named_thing(prompt)
    meaning = _meanings().get(without_name(prompt))
    if meaning is None or (meaning[0] == SHOW) != (name is not None):
        return None
    action, place = meaning
    if name is None:
        return action, None
    colour, kind = name.split(" ", 1)
    return action, Thing(kind, colour, place)


def say_otherwise(rng: np.random.Generator, prompt: str) -> str:
    """Another sentence that asks for the same; the same one if it is not known what it asks for."""
    meaning = asked_for(prompt)
    if meaning is None:
        return prompt
    action, thing = meaning
    if rng.random() < _COMPOSED_SHARE:
        return compose_prompt(rng, action, thing)
    return sample_prompt(rng, action, thing=thing)
