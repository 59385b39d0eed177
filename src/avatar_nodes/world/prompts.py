"""Asks for an action in words; some wordings are held out of training."""

from __future__ import annotations

import re

import numpy as np

from avatar_nodes.world.motion import ACTIONS, SHOW
from avatar_nodes.world.objects import COLOURS, KINDS, Thing
from avatar_nodes.world.wordings import HELD_OUT, SHOWING, SHOWING_HELD_OUT, TRAINING

MAX_BYTES = 62
"""No prompt is longer in UTF-8, so that bytes and the end mark fit into 64 tokens."""

_SUBJECTS = ("A person", "The person", "Someone", "A presenter", "The speaker", "A friendly host")
_HELD_OUT_SUBJECTS = ("The avatar", "A person", "The presenter")
_NAMED = re.compile(rf"\b(?:an?|the) ((?:{'|'.join(COLOURS)}) (?:{'|'.join(KINDS)}))\b")


def prompts(action: str, *, held_out: bool = False, thing: Thing | None = None) -> tuple[str, ...]:
    """Every sentence that asks for `action`, e.g. 'A person talks and waves with one hand.'.

    `held_out` gives the wordings that training never sees; `thing` is what is shown, which only the
    action `show` needs. Raises ValueError for an unknown action, and for `show` without a thing.
    """
    if action == SHOW:
        if thing is None:
            raise ValueError(f"action {SHOW} needs a thing to show")
        wordings = (SHOWING_HELD_OUT if held_out else SHOWING)[thing.place]
        wordings = tuple(_name(words, thing) for words in wordings)
    elif action in ACTIONS:
        wordings = (HELD_OUT if held_out else TRAINING)[action]
    else:
        raise ValueError(f"unknown action {action!r}; known are {', '.join((*ACTIONS, SHOW))}")
    subjects = _HELD_OUT_SUBJECTS if held_out else _SUBJECTS
    whole = (f"{who} {words}." for who in subjects for words in wordings)
    return tuple(text for text in whole if len(text.encode()) <= MAX_BYTES)


def _name(words: str, thing: Thing) -> str:
    """Put the thing's name with its article into a wording."""
    article = "an" if thing.name[0] in "aeiou" else "a"
    return words.format(a=f"{article} {thing.name}", the=f"the {thing.name}")


def named_thing(prompt: str) -> str | None:
    """Name of the thing that a sentence speaks of, e.g. 'red ball'; None: of none."""
    found = _NAMED.search(prompt)
    return None if found is None else found[1]


def without_name(prompt: str) -> str:
    """The sentence with 'it' for its thing: 'A person shows it.', for one who has seen it."""
    return _NAMED.sub("it", prompt)


def sample_prompt(
    rng: np.random.Generator, action: str, *, held_out: bool = False, thing: Thing | None = None
) -> str:
    """One wording at random."""
    choices = prompts(action, held_out=held_out, thing=thing)
    return choices[int(rng.integers(len(choices)))]


_RESERVED = tuple(
    words.format(a="it", the="it").lower()
    for table in (HELD_OUT, SHOWING_HELD_OUT) for row in table.values() for words in row
)  # fmt: skip


def says_held_out(text: str) -> bool:
    """True if a sentence is or contains one that training never sees, with any thing in it."""
    plain = without_name(text).lower()
    return any(words in plain for words in _RESERVED)
