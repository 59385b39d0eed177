"""Which facts go to a chat model with a question."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from avatar_nodes.mind.facts import PersonaFacts
from avatar_nodes.mind.persona import Persona
from avatar_nodes.mind.persona_file import load_persona

DATA = Path(__file__).parents[1] / "data" / "mind"


@pytest.fixture(scope="module")
def persona() -> Persona:
    return load_persona("default")


@pytest.fixture(scope="module")
def facts(persona: Persona) -> PersonaFacts:
    return PersonaFacts(persona)


def test_the_fact_that_answers_is_among_them(facts: PersonaFacts) -> None:
    questions = yaml.safe_load((DATA / "facts.yaml").read_text())["known"]
    for question, wanted in questions.items():
        found = facts.about(question)
        assert 1 <= len(found) <= 4
        assert any(fact in " ".join(found) for fact in wanted), (question, found)


def test_of_wordings_held_out_nine_in_ten(persona: Persona, facts: PersonaFacts) -> None:
    wordings = yaml.safe_load((DATA / "held_out.yaml").read_text())
    found = [
        any(reply in fact for fact in facts.about(text))
        for name, texts in wordings.items()
        if name != "nothing" and "{" not in (reply := persona.intent(name).replies[0])
        for text in texts
    ]
    assert len(found) > 100
    assert sum(found) >= 0.9 * len(found)


@pytest.mark.parametrize("text", ["", "?!", "xyzzy plugh", "你好"])
def test_what_shares_no_word_has_none(facts: PersonaFacts, text: str) -> None:
    assert facts.about(text) == []


@given(st.text(max_size=60))
def test_any_question(facts: PersonaFacts, text: str) -> None:
    assert len(facts.about(text)) <= 4
    assert not any("{" in fact for fact in facts.about(text))
