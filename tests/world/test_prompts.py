import numpy as np
import pytest

from avatar_nodes.world.motion import ACTIONS, SHOW
from avatar_nodes.world.objects import COLOURS, KINDS, PLACES, Thing
from avatar_nodes.world.prompts import (
    MAX_BYTES,
    named_thing,
    prompts,
    sample_prompt,
    says_held_out,
    without_name,
)

THINGS = [Thing(kind, colour, place) for kind in KINDS for colour in COLOURS for place in PLACES]
WAYS = [(action, None) for action in ACTIONS] + [(SHOW, thing) for thing in THINGS]


def test_held_out_wordings_are_never_trained_on() -> None:
    trained = {p for action, thing in WAYS for p in prompts(action, thing=thing)}
    held_out = {p for action, thing in WAYS for p in prompts(action, held_out=True, thing=thing)}
    assert not trained & held_out


def test_no_wording_stands_for_two_actions_or_two_things() -> None:
    every = [
        prompt
        for action, thing in WAYS
        for held_out in (False, True)
        for prompt in prompts(action, held_out=held_out, thing=thing)
    ]
    assert len(every) == len(set(every))


def test_every_prompt_fits_into_the_text_encoder() -> None:
    longest = max(
        (
            prompt
            for action, thing in WAYS
            for held_out in (False, True)
            for prompt in prompts(action, held_out=held_out, thing=thing)
        ),
        key=lambda text: len(text.encode()),
    )
    assert len(longest.encode()) <= MAX_BYTES < 63, longest


def test_wordings_are_varied_for_every_action_and_thing() -> None:
    for action, thing in WAYS:
        for held_out, fewest in ((False, 8), (True, 4)):
            wordings = prompts(action, held_out=held_out, thing=thing)
            # The subject's two words at most go before a wording's own ones.
            subject = ("A person", "The avatar")[held_out]
            own = [w for w in wordings if w.startswith(subject)]
            assert len(own) >= fewest, (action, thing)
            assert len({" ".join(w.split()[:2]) for w in wordings}) >= 2


def test_a_prompt_names_its_thing_with_the_right_article() -> None:
    orange, red = Thing("cube", "orange"), Thing("cup", "red", "stand")
    assert "A person holds up an orange cube." in prompts(SHOW, thing=orange)
    assert "Someone puts a red cup on the table." in prompts(SHOW, thing=red)
    assert all("orange cube" in text for text in prompts(SHOW, thing=orange))


def test_the_same_generator_gives_the_same_wording() -> None:
    first, again = (sample_prompt(np.random.default_rng(3), "wave") for _ in range(2))
    assert first == again and first in prompts("wave")


@pytest.mark.parametrize(
    ("action", "message"), [("dance", "unknown action"), ("show", "needs a thing")]
)
def test_what_cannot_be_asked_for_is_refused(action: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prompts(action)


def test_a_thing_that_was_seen_need_not_be_named() -> None:
    for thing in (Thing("toy duck", "orange", "hand"), Thing("gift box", "red", "stand")):
        for prompt in prompts("show", thing=thing):
            assert named_thing(prompt) == thing.name
            unnamed = without_name(prompt)
            assert " it" in unnamed and named_thing(unnamed) is None
            assert not any(word in unnamed for word in (*thing.name.split(), " a it", "the it"))
    assert named_thing("A person waves.") is None
    assert without_name("A person waves.") == "A person waves."


@pytest.mark.parametrize("place", ["hand", "stand"])
def test_a_held_out_sentence_is_told_whatever_its_thing(place: str) -> None:
    thing = Thing("toy duck", "orange", place)
    assert all(says_held_out(text) for text in prompts(SHOW, held_out=True, thing=thing))
    assert says_held_out("She disagrees, shaking the head, now.")
    assert not says_held_out("A person shows an orange toy duck.")
