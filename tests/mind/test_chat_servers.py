"""Chat servers as they are: what they refuse, write, leave out and want, each by its name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import pytest
from support.chat_kinds import ACTION, ANSWERED, RIGHT, UNANSWERED
from support.hostile_server import HostileServer
from support.thoughts import intentions_of, is_fallback, problem_of, sentences_of

from avatar_nodes.mind.backends import build_reasoner
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Began, Intention, Reasoner, Request, Sentence, Thought
from avatar_nodes.mind.settings import ReasonerSettings

Start = Callable[..., Reasoner]


@pytest.fixture
def server() -> Iterator[HostileServer]:
    server = HostileServer()
    yield server
    server.close()


@pytest.fixture
def start(server: HostileServer, phrasebook: Phrasebook) -> Iterator[Start]:
    """Makes the reasoner of a model that the server plays."""
    started: list[Reasoner] = []

    def of(model: str, **settings: float) -> Reasoner:
        patience = {"first_token_timeout_s": 60.0, "stall_timeout_s": 60.0} | settings
        started.append(
            build_reasoner(
                ReasonerSettings(
                    backend="openai",
                    base_url=server.url,
                    model=model,
                    reply_timeout_s=60.0,
                    **patience,  # type: ignore[arg-type]
                ),
                phrasebook,
            )
        )
        return started[-1]

    yield of
    for reasoner in started:
        reasoner.close()


def ask(reasoner: Reasoner, text: str = "hello") -> list[Thought]:
    return list(reasoner.think(Request(text)))


@pytest.mark.parametrize("kind", ANSWERED)
def test_the_answer_alone_is_heard(start: Start, server: HostileServer, kind: str) -> None:
    reasoner = start(kind)
    for turn in (1, 2):
        thoughts = ask(reasoner)
        assert (sentences_of(thoughts), problem_of(thoughts)) == (RIGHT, "")
        plain = kind.startswith(("plain", "declined", "reply_alone", "prompts"))
        assert (intentions_of(thoughts)[0].action_prompt == ACTION) == (not plain)
        assert len(server.requests) == turn


@pytest.mark.parametrize("kind", UNANSWERED)
def test_what_is_no_answer_is_not_heard(start: Start, phrasebook: Phrasebook, kind: str) -> None:
    thoughts = ask(start(kind))
    assert problem_of(thoughts) == UNANSWERED[kind][0]
    assert is_fallback(thoughts, phrasebook)
    assert " ".join(sentences_of(thoughts)) in phrasebook.persona.fallback.trouble


def test_halves_of_an_emoji(start: Start) -> None:
    thoughts = ask(start("halves"))
    assert sentences_of(thoughts) == ["Fine 😀 indeed.", "And 😀, \ufffd too."]
    assert problem_of(thoughts) == ""


def test_a_server_that_ignores_stream(start: Start) -> None:
    thoughts = ask(start("ignores_stream"))
    assert (sentences_of(thoughts), problem_of(thoughts)) == (RIGHT, "")


def test_what_was_cut_off_is_said_as_far_as_its_sentences_go(start: Start) -> None:
    thoughts = ask(start("cut_off"))
    assert (sentences_of(thoughts), problem_of(thoughts)) == (["I begin."], "cut_off")


def formats(server: HostileServer) -> list[str | None]:
    return [body.get("response_format", {}).get("type") for body in server.requests]


def keys(server: HostileServer) -> list[set[str]]:
    wanted = {"max_tokens", "max_completion_tokens", "temperature", "stream"}
    return [{key for key in body if key in wanted and body[key]} for body in server.requests]


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("wants_max_completion_tokens", 2),
        ("no_temperature", 2),
        ("reasoning_model", 4),
        ("no_system_role", 2),
        ("roles_alternate", 2),
        ("no_schema", 2),
        ("no_json_object", 3),
        ("no_format", 3),
        ("plain_only", 3),
        ("no_limits", 3),
        ("no_stream", 2),
    ],
)
def test_what_a_server_refuses_is_left_out_from_then_on(
    start: Start, server: HostileServer, kind: str, asked: int
) -> None:
    reasoner = start(kind)
    for count in (asked, asked + 1):
        thoughts = ask(reasoner)
        assert (sentences_of(thoughts), problem_of(thoughts)) == (RIGHT, "")
        assert len(server.requests) == count


def test_only_what_was_refused_is_changed(start: Start, server: HostileServer) -> None:
    ask(start("wants_max_completion_tokens"))
    ask(start("no_temperature"))
    ask(start("no_stream"))
    first = {"max_tokens", "temperature", "stream"}
    assert keys(server) == [
        first,
        {"max_completion_tokens", "temperature", "stream"},
        first,
        {"max_tokens", "stream"},
        first,
        {"max_tokens", "temperature"},
    ]
    assert formats(server) == ["json_schema"] * 6
    server.requests.clear()
    ask(start("no_schema"))
    assert formats(server) == ["json_schema", "json_object"]


def test_without_a_system_role_the_visitor_s_words_stay_apart(
    start: Start, server: HostileServer
) -> None:
    ask(start("no_system_role"), "where is the lift")
    first, second = (body["messages"] for body in server.requests)
    assert [message["role"] for message in first] == ["system", "user"]
    (message,) = second
    assert message["role"] == "user"
    assert message["content"].startswith(first[0]["content"])
    assert message["content"].endswith("\n\nwhere is the lift")


def test_a_refusal_for_another_reason_takes_nothing_away(
    start: Start, server: HostileServer
) -> None:
    reasoner = start("refuses_what_is_long")
    assert problem_of(ask(reasoner, "a long story")) == "server"
    assert problem_of(ask(reasoner)) == ""
    assert formats(server) == ["json_schema", "json_object", None, "json_schema"]


def next_sentence(thoughts: Iterator[Thought]) -> str:
    for thought in thoughts:
        if isinstance(thought, Sentence):
            return thought.text
        assert isinstance(thought, Began | Intention)
    raise AssertionError("no sentence")


def test_plain_text_is_heard_sentence_by_sentence(start: Start, server: HostileServer) -> None:
    """From the second answer on: only its end tells whether the first is a thought."""
    reasoner = start("steps")
    server.step.release(3)
    assert sentences_of(ask(reasoner)) == ["One is here.", "Two is here.", "Three."]
    thoughts = iter(reasoner.think(Request("hello")))
    for sentence in ("One is here.", "Two is here."):
        server.step.release(2 if sentence.startswith("One") else 1)
        assert next_sentence(thoughts) == sentence
    assert problem_of(list(thoughts)) == ""


def test_thoughts_are_signs_of_life(start: Start) -> None:
    thoughts = ask(start("thinks_long", first_token_timeout_s=0.5, stall_timeout_s=0.5))
    assert (sentences_of(thoughts), problem_of(thoughts)) == (RIGHT, "")


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        (lambda: {"Retry-After": "1"}, 1.0),
        (lambda: {"retry-after-ms": "300"}, 0.3),
        (lambda: {"Retry-After": formatdate(time.time() + 2.0, usegmt=True)}, 0.5),
        (dict, 0.5),
        (lambda: {"Retry-After": "soon"}, 0.5),
        (lambda: {"Retry-After": "nan"}, 0.5),
    ],
)
def test_a_busy_server_is_asked_again_when_it_says(
    start: Start, server: HostileServer, headers: Callable[[], dict[str, str]], wait_s: float
) -> None:
    server.busy.append(headers())
    reasoner = start("think")
    begun = time.monotonic()
    thoughts = ask(reasoner)
    assert time.monotonic() - begun >= wait_s
    assert (sentences_of(thoughts), problem_of(thoughts)) == (RIGHT, "")
    assert len(server.requests) == 2


def test_nobody_waits_for_a_server_that_is_busy_for_long(
    start: Start, server: HostileServer, phrasebook: Phrasebook
) -> None:
    server.busy += [{"Retry-After": "30"}]
    reasoner = start("think", first_token_timeout_s=5.0)
    for _ in range(2):
        begun = time.monotonic()
        thoughts = ask(reasoner)
        assert time.monotonic() - begun < 4.0
        assert problem_of(thoughts) == "busy"
        assert is_fallback(thoughts, phrasebook)
    assert len(server.requests) == 1, "it is left alone until then"


def test_a_server_that_stays_busy(start: Start, server: HostileServer) -> None:
    server.busy += [{}] * 20
    thoughts: list[Any] = ask(start("think"))
    assert problem_of(thoughts) == "busy"
    assert len(server.requests) == 2
