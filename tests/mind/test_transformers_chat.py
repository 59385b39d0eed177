"""A local chat model: held to the answer's schema or not, cancelled, and refused."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from support.thoughts import intentions_of, is_fallback, problem_of, sentences_of

from avatar_nodes.mind.backends import build_reasoner
from avatar_nodes.mind.chat_contract import allowed_prompts
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Began, Done, Reasoner, ReasonerError, Request
from avatar_nodes.mind.settings import ReasonerSettings

PATIENT = dict.fromkeys(("first_token_timeout_s", "stall_timeout_s", "reply_timeout_s"), 300.0)
HURRIED = dict.fromkeys(PATIENT, 0.1)
Build = Callable[..., Reasoner]


@pytest.fixture
def build(phrasebook: Phrasebook) -> Iterator[Build]:
    """Builds backends that end with the test."""
    built: list[Reasoner] = []

    def build(model: Path, **options: object) -> Reasoner:
        values = {"max_tokens": 900, "temperature": 0.0, **PATIENT, **options}
        chosen = ReasonerSettings(backend="transformers", model=str(model), **values)  # type: ignore[arg-type]
        built.append(build_reasoner(chosen, phrasebook))
        return built[-1]

    yield build
    for reasoner in built:
        reasoner.close()
    names = [thread.name for thread in threading.enumerate()]
    assert not any("chat model" in name for name in names)


@pytest.mark.parametrize("constrained", [True, False])
def test_a_model_that_knows_its_answer(build: Build, parrot_model: Path, constrained: bool) -> None:
    reasoner = build(parrot_model, constrained=constrained)
    for _ in range(2):
        began, *thoughts, done = reasoner.think(Request("do you speak"))
        assert began == Began()
        assert sentences_of(thoughts) == ["Yes, I do.", "I am a parrot!"]
        first, last = intentions_of(thoughts)
        assert first.action_prompt == last.action_prompt == "A person nods in agreement."
        assert last.stable_prompt == "A person talks with a wide smile."
        assert done == Done()


def test_a_random_model_held_to_the_schema(
    build: Build, random_model: Path, phrasebook: Phrasebook
) -> None:
    reasoner = build(random_model, temperature=1.0)
    thoughts = list(reasoner.think(Request("hello")))
    assert problem_of(thoughts) == ""
    assert sentences_of(thoughts)
    prompts = allowed_prompts(phrasebook.persona)
    assert all(intention.action_prompt in prompts for intention in intentions_of(thoughts))


@pytest.fixture(autouse=True)
def _same_chance() -> None:
    """A random model may also happen to end its nonsense by itself."""
    torch.manual_seed(0)


def test_a_random_model_left_alone(
    build: Build, random_model: Path, phrasebook: Phrasebook
) -> None:
    reasoner = build(random_model, temperature=1.0, constrained=False, max_tokens=60)
    thoughts = list(reasoner.think(Request("hello")))
    assert problem_of(thoughts) == "cut_off"
    assert is_fallback(thoughts, phrasebook)


def test_a_seed_says_the_same_again(build: Build, random_model: Path) -> None:
    reasoner = build(random_model, temperature=1.0, seed=5)
    first, second = (sentences_of(list(reasoner.think(Request("hello")))) for _ in range(2))
    assert first == second != []


def test_an_answer_that_is_too_long(
    build: Build, random_model: Path, phrasebook: Phrasebook
) -> None:
    reasoner = build(random_model, temperature=1.0, max_tokens=70)
    thoughts = list(reasoner.think(Request("hello")))
    assert problem_of(thoughts) == "cut_off"
    assert sentences_of(thoughts)


def test_cancelled_in_the_middle(build: Build, parrot_model: Path) -> None:
    reasoner = build(parrot_model)
    thinking = reasoner.think(Request("hello"))
    thoughts = iter(thinking)
    assert next(thoughts) == Began()
    thinking.cancel()
    assert list(thoughts) == []
    assert problem_of(list(reasoner.think(Request("hello")))) == ""


def test_closed_while_it_writes(build: Build, random_model: Path) -> None:
    reasoner = build(random_model, temperature=1.0, constrained=False, max_tokens=8000)
    assert next(iter(reasoner.think(Request("hello")))) == Began()
    reasoner.close()


def test_a_model_that_is_too_slow(build: Build, random_model: Path, phrasebook: Phrasebook) -> None:
    reasoner = build(random_model, max_tokens=16, **HURRIED)
    thoughts = list(reasoner.think(Request("hello " * 600)))
    assert problem_of(thoughts) == "timeout"
    assert is_fallback(thoughts, phrasebook)


def test_what_is_no_chat_model(build: Build, tmp_path: Path, random_model: Path) -> None:
    with pytest.raises(ReasonerError, match="expected a model's folder"):
        build(tmp_path)
    mute = tmp_path / "mute"
    shutil.copytree(random_model, mute)
    (mute / "chat_template.jinja").unlink()
    with pytest.raises(ReasonerError, match="no chat template"):
        build(mute)
    (mute / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ReasonerError, match=r"^backend transformers: [^\n]+$"):
        build(mute)
    with pytest.raises(ReasonerError, match=r"^backend transformers: [^\n]+$"):
        build(random_model, device="cuda:99")
    with pytest.raises(ValidationError, match="device"):
        build(random_model, device="nonsense")
