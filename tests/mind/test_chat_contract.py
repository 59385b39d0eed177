"""The chat models' answer: what is asked for, and what is read of it while it is written."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_nodes.mind.chat_contract import answer_schema, chat_messages, resolve_prompt
from avatar_nodes.mind.chat_reasoner import ChatThinking
from avatar_nodes.mind.dialogue import Exchange
from avatar_nodes.mind.persona import Persona
from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Began, Done, Intention, Request, Sentence, Thought
from avatar_nodes.mind.text_stream import Patience, TextStream

THUMB, NOD = "A person raises a thumb.", "A person nods in agreement."
IDLE, TALK = "A person is quiet and calm.", "A person talks to the viewer."
REPLY = 'She said "No\\Yes"\u2026 caf\u00e9 \U0001f600! And then? Fine.'
WHOLE = {"action_prompt": THUMB, "reply": REPLY, "stable_prompt": NOD}


@pytest.fixture(scope="module")
def persona() -> Persona:
    return load_persona("default")


@pytest.fixture(scope="module")
def phrasebook(persona: Persona) -> Phrasebook:
    return Phrasebook(persona, seed=0)


def think(phrasebook: Phrasebook, pieces: Sequence[str]) -> list[Thought]:
    stream = TextStream()
    for piece in pieces:
        stream.put(piece)
    stream.end()
    return list(ChatThinking(stream, phrasebook, Patience(), Request("hello")))


def said(thoughts: Sequence[Thought]) -> list[str]:
    return [thought.text for thought in thoughts if isinstance(thought, Sentence)]


def test_the_schema_names_the_persona_s_prompts(persona: Persona) -> None:
    schema = answer_schema(persona, bounded=True)
    assert list(schema["properties"]) == ["action_prompt", "reply", "stable_prompt"]
    assert {THUMB, IDLE, TALK} <= set(schema["properties"]["action_prompt"]["enum"])
    free = persona.model_copy(update={"free_actions": True})
    assert "enum" not in answer_schema(free, bounded=False)["properties"]["action_prompt"]


def test_the_messages(persona: Persona) -> None:
    request = Request("and you", (Exchange("who are you", "I am Ada."),), "speaking")
    system, *others = chat_messages(persona, request)
    assert system["role"] == "system"
    assert persona.name in system["content"]
    assert f"- {THUMB}" in system["content"]
    assert system["content"].endswith("Right now you are speaking.")
    assert others == [
        {"role": "user", "content": "who are you"},
        {"role": "assistant", "content": "I am Ada."},
        {"role": "user", "content": "and you"},
    ]


def test_the_facts_go_with_the_question(persona: Persona) -> None:
    request = Request("where are the toilets")
    (system, _), facts = chat_messages(persona, request), ["Down the corridor."]
    told = chat_messages(persona, request, facts)[0]["content"]
    assert "- Down the corridor.\n" in told and "Invent nothing." in told
    assert "Down the corridor" not in system["content"]
    head, _, _ = system["content"].rpartition("\nRight now")
    assert told.startswith(head), "a server has read that before"


def test_a_model_is_told_what_was_not_heard_to_its_end(persona: Persona) -> None:
    request = Request("stop", (Exchange("tell me all", "It began so.", cut_short=True),))
    assert chat_messages(persona, request)[2]["content"] == "It began so. [interrupted]"


def test_prompts_are_found_by_text_or_name(persona: Persona) -> None:
    assert resolve_prompt(persona, " a person raises a THUMB ") == THUMB
    assert resolve_prompt(persona, "thumb") == THUMB
    assert resolve_prompt(persona, "dances") is None
    free = persona.model_copy(update={"free_actions": True})
    assert resolve_prompt(free, "dances") == "dances"
    assert resolve_prompt(free, " ") is None


def test_thoughts_come_before_the_object_is_complete(phrasebook: Phrasebook) -> None:
    stream = TextStream()
    thinking = iter(ChatThinking(stream, phrasebook, Patience(), Request("hello")))
    stream.put('{"action_prompt": "A person raises a thumb.", "re')
    assert next(thinking) == Began()
    assert next(thinking) == Intention(THUMB, IDLE, seconds=2.5)
    stream.put('ply": "One. Two.')
    assert next(thinking) == Sentence("One.")
    stream.put(' Three", "stable_prompt"')
    assert [next(thinking), next(thinking)] == [Sentence("Two."), Sentence("Three")]
    stream.put(': "nod"}')
    assert next(thinking) == Intention(THUMB, NOD, seconds=2.5)
    assert list(thinking) == [Done()]
    assert stream.cancelled, "nobody needs what may still come"


def test_keys_in_another_order(phrasebook: Phrasebook) -> None:
    text = json.dumps({"stable_prompt": NOD, "reply": "One. Two.", "action_prompt": "thumb"})
    thoughts = think(phrasebook, list(text))
    assert thoughts == [
        Began(),
        Intention(TALK, NOD),
        Sentence("One."),
        Sentence("Two."),
        Intention(THUMB, NOD, seconds=2.5),
        Done(),
    ]


def test_an_action_that_the_persona_lacks(phrasebook: Phrasebook) -> None:
    answer = {"action_prompt": "A person flies.", "reply": "Whee!", "stable_prompt": IDLE}
    thoughts = think(phrasebook, [json.dumps(answer)])
    assert thoughts[:-1] == [Began(), Intention(TALK, IDLE), Sentence("Whee!")]
    assert thoughts[-1] == Done("action", "no action of the persona: 'A person flies.'")


def test_what_is_malformed_is_answered_by_the_persona(phrasebook: Phrasebook) -> None:
    trouble = phrasebook.persona.fallback.trouble
    began, intention, *sentences, done = think(phrasebook, ["{Hello, ", "nice to see you."])
    assert began == Began()
    assert isinstance(intention, Intention)
    assert intention.name == "trouble"
    assert " ".join(said(sentences)) in trouble
    assert isinstance(done, Done)
    assert done.problem == "malformed"


def test_an_answer_that_breaks_off_is_followed_by_the_fallback(phrasebook: Phrasebook) -> None:
    thoughts = think(phrasebook, ['{"action_prompt": "nod", "reply": "One. Two. Thr'])
    assert said(thoughts)[:2] == ["One.", "Two."]
    assert " ".join(said(thoughts)[2:]) in phrasebook.persona.fallback.trouble
    assert [type(thought) for thought in thoughts].count(Intention) == 1


def test_only_the_end_of_the_object_is_missing(phrasebook: Phrasebook) -> None:
    thoughts = think(phrasebook, ['{"action_prompt": "nod", "reply": "One. Two.", "stab'])
    assert said(thoughts) == ["One.", "Two."]
    assert isinstance(thoughts[-1], Done)
    assert thoughts[-1].problem == "malformed"


@given(st.text(max_size=60), st.text('{}[]":,\\ abreply', max_size=60))
def test_no_text_breaks_it(phrasebook: Phrasebook, one: str, two: str) -> None:
    *_, done = think(phrasebook, [one, two])
    assert isinstance(done, Done)
