"""How an action is asked for in words; some wordings are held out of training."""

from __future__ import annotations

import numpy as np

from avatar_nodes.training.world.motion import ACTIONS

_SUBJECTS = ("A person", "The person", "Someone", "A presenter")
_HELD_OUT_SUBJECT = "The avatar"

# Per action: wordings for training, then wordings held out.
_WORDINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "rest": (
        ("talks calmly", "talks to the viewer", "speaks and keeps the hands down", "talks at rest"),
        ("speaks quietly without moving much", "just talks"),
    ),
    "wave": (
        (
            "talks and waves with one hand",
            "waves hello while talking",
            "greets the viewer with a wave",
            "waves a hand",
        ),
        ("says hello and is waving", "raises one hand and waves it"),
    ),
    "nod": (
        (
            "talks and nods",
            "nods in agreement",
            "nods the head while talking",
            "says yes with a nod",
        ),
        ("is nodding the head up and down", "agrees by nodding"),
    ),
    "shake": (
        (
            "talks and shakes the head",
            "shakes the head to say no",
            "shakes the head from side to side",
            "disagrees and shakes the head",
        ),
        ("is shaking the head", "says no by shaking the head"),
    ),
    "point": (
        (
            "talks and points to the side",
            "points at something",
            "points with one finger while talking",
            "points the way with a finger",
        ),
        ("is pointing aside with a finger", "shows the way by pointing"),
    ),
    "shrug": (
        (
            "talks and shrugs",
            "shrugs the shoulders",
            "shrugs with both hands open",
            "does not know and shrugs",
        ),
        ("is shrugging", "lifts both shoulders in a shrug"),
    ),
    "thumbs_up": (
        (
            "talks and gives a thumbs up",
            "raises a thumb",
            "shows a thumb up while talking",
            "approves with a thumbs up",
        ),
        ("is holding a thumb up", "gives the viewer a thumbs up"),
    ),
    "lean": (
        (
            "talks and leans to the side",
            "leans over while talking",
            "leans the body to one side",
            "leans aside",
        ),
        ("is leaning to one side", "tilts the whole body and leans"),
    ),
    "smile": (
        (
            "talks and smiles",
            "smiles warmly",
            "smiles broadly while talking",
            "looks happy and smiles",
        ),
        ("is smiling at the viewer", "has a wide smile"),
    ),
}


def prompts(action: str, *, held_out: bool = False) -> tuple[str, ...]:
    """Every sentence that asks for `action`, e.g. 'A person talks and waves with one hand.'.

    `held_out` gives the wordings that training never sees. Raises ValueError for an unknown action.
    """
    if action not in ACTIONS:
        raise ValueError(f"unknown action {action!r}; known are {', '.join(ACTIONS)}")
    seen, unseen = _WORDINGS[action]
    if held_out:
        return tuple(
            f"{who} {words}." for who in (_HELD_OUT_SUBJECT, _SUBJECTS[0]) for words in unseen
        )
    return tuple(f"{who} {words}." for who in _SUBJECTS for words in seen)


def sample_prompt(rng: np.random.Generator, action: str, *, held_out: bool = False) -> str:
    """One wording at random."""
    choices = prompts(action, held_out=held_out)
    return choices[int(rng.integers(len(choices)))]
