"""Composes prompts from parts of speech: far more of them than anybody writes down.

A text encoder that only ever read a hundred sentences knows them by their shape. It reads the
word that matters when that word comes in every form and every place.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from avatar_nodes.world.motion import SHOW
from avatar_nodes.world.objects import Thing
from avatar_nodes.world.prompts import MAX_BYTES, says_held_out


class Phrase(NamedTuple):
    """One way to say an action: 'nods the head', 'nodding the head', 'a nod', 'nod the head'."""

    does: str
    doing: str
    noun: str
    do: str


def _phrases(*rows: str) -> tuple[Phrase, ...]:
    return tuple(Phrase(*(part.strip() for part in row.split("|"))) for row in rows)


PHRASES: dict[str, tuple[Phrase, ...]] = {
    "rest": _phrases(
        "talks | talking | a calm talk | talk",
        "speaks calmly | speaking calmly | calm words | speak calmly",
        "rests the hands | resting the hands | hands at rest | rest your hands",
        "moves very little | moving very little | little movement | do not move much",
        "stays quiet | staying quiet | no gesture | stay quiet",
        "sits still | sitting still | no movement | sit still",
        "just speaks | just speaking | nothing but words | just speak",
    ),
    "wave": _phrases(
        "waves | waving | a wave | wave",
        "waves a hand | waving a hand | a wave of the hand | wave your hand",
        "greets us | greeting us | a greeting | greet us",
        "waves one hand | waving one hand | a friendly greeting | wave one hand",
        "raises a hand and waves | raising a hand and waving | a big wave | raise a hand and wave",
    ),
    "nod": _phrases(
        "nods | nodding | a nod | nod",
        "nods the head | nodding the head | a nod of the head | nod your head",
        "agrees | agreeing | a yes | agree",
        "says yes | saying yes | agreement | say yes",
        "moves the head up and down | moving the head up and down | small nods | move your head up",
    ),
    "shake": _phrases(
        "shakes the head | shaking the head | a shake of the head | shake your head",
        "says no | saying no | a no | say no",
        "disagrees | disagreeing | disagreement | disagree",
        "refuses | refusing | a head shake | refuse",
        "turns the head left and right | turning the head | a shake | turn your head",
    ),
    "point": _phrases(
        "points | pointing | a pointing finger | point",
        "points aside | pointing aside | a finger to the side | point aside",
        "points a finger | pointing a finger | one finger pointing | point a finger",
        "shows the way | showing the way | the way | show the way",
        "points over there | pointing over there | a point aside | point over there",
    ),
    "shrug": _phrases(
        "shrugs | shrugging | a shrug | shrug",
        "shrugs the shoulders | shrugging the shoulders | a shrug of the shoulders | shrug",
        "lifts both shoulders | lifting both shoulders | raised shoulders | lift your shoulders",
        "does not know | not knowing | no idea | say you do not know",
        "opens both hands | opening both hands | open hands | open both hands",
    ),
    "thumbs_up": _phrases(
        "raises a thumb | raising a thumb | a thumbs up | raise a thumb",
        "holds a thumb up | holding a thumb up | one thumb up | hold a thumb up",
        "approves | approving | approval | approve",
        "says well done | saying well done | a raised thumb | say well done",
        "gives a thumbs up | giving a thumbs up | a thumb up | give a thumbs up",
    ),
    "lean": _phrases(
        "leans | leaning | a lean | lean",
        "leans sideways | leaning sideways | a lean aside | lean sideways",
        "leans the whole body | leaning the whole body | a lean of the body | lean over",
        "tilts the body | tilting the body | a tilt of the body | tilt your body",
        "bends to one side | bending to one side | a bend to the side | bend to one side",
    ),
    "smile": _phrases(
        "smiles | smiling | a smile | smile",
        "smiles widely | smiling widely | a wide smile | smile widely",
        "looks happy | looking happy | a happy smile | look happy",
        "looks friendly | looking friendly | a friendly face | look friendly",
        "grins | grinning | a grin | grin",
    ),
    "show hand": _phrases(
        "shows {it} | showing {it} | {it} in the hand | show {it}",
        "holds up {it} | holding up {it} | {it} in one hand | hold up {it}",
        "lifts {it} | lifting {it} | {it} held up | lift {it}",
        "raises {it} | raising {it} | {it} raised | raise {it}",
        "holds {it} | holding {it} | a hand with {it} | hold {it}",
    ),
    "show stand": _phrases(
        "puts {it} on a table | putting {it} on a table | {it} on a table | put {it} on a table",
        "sets {it} on the table | setting {it} down | {it} on the table | set {it} on the table",
        "places {it} on a table | placing {it} there | a table with {it} | place {it} on a table",
        "stands by {it} on a table | standing by {it} on a table | {it} there | stand by {it}",
    ),
}

_TEMPLATES = (
    "{who} {does}", "{who} is {doing}", "{who} talks and {does}", "{who} {does} and talks",
    "{who} {does} while speaking", "{who} talks while {doing}", "{who} speaks with {noun}",
    "{who} starts {doing}", "{who} keeps {doing}", "{who} gives {noun}", "{who} answers, {doing}",
    "{who}, {doing}", "{do}", "{do}, please", "now {do}", "{noun}", "{doing}", "with {noun}",
    "{who} begins to {do}", "by {doing}", "{who} speaks quietly and {does}", "{who} {does} again",
    "{who} says it {doing}", "{who} reacts with {noun}", "{who} speaks by {doing}",
)  # fmt: skip
_WHO = (
    "A person", "The person", "Someone", "A presenter", "The speaker", "A friendly host", "She",
    "He", "The host", "This person", "A guest", "It", "The figure",
)  # fmt: skip


def compose_prompt(rng: np.random.Generator, action: str, thing: Thing | None = None) -> str:
    """A sentence or fragment that asks for `action`, at most 62 bytes, in no held-out wording.

    Raises:
        KeyError: the action is unknown.
    """
    rows = PHRASES[f"{SHOW} {thing.place}" if thing is not None else action]
    while True:
        phrase = rows[int(rng.integers(len(rows)))]
        template = _TEMPLATES[int(rng.integers(len(_TEMPLATES)))]
        text = template.format(who=_WHO[int(rng.integers(len(_WHO)))], **phrase._asdict())
        if thing is not None:
            article = "the" if rng.random() < 0.5 else "an" if thing.name[0] in "aeiou" else "a"
            text = text.format(it=f"{article} {thing.name}")
        if len(text) < MAX_BYTES and not says_held_out(text):
            return text + "."
