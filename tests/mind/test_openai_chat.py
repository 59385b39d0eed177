"""A chat model behind a server: a real one, and one that does everything wrong."""

from __future__ import annotations

import json
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hostile_server import HostileServer
from support.process_group import ProcessGroup
from support.thoughts import intentions_of, is_fallback, problem_of, sentences_of
from support.tiny_chat_model import PARROT_ANSWER
from support.waiting import wait_until

from avatar_nodes.mind.backends import build_reasoner
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Began, Reasoner, ReasonerError, Request, Thought
from avatar_nodes.mind.settings import ReasonerSettings
from avatar_nodes.mind.text_stream import Patience

PATIENT = Patience(first_s=300.0, stall_s=300.0, total_s=300.0)
HURRIED = Patience(first_s=0.5, stall_s=0.5, total_s=1.5)


def reasoner_for(
    url: str, model: str, phrasebook: Phrasebook, patience: Patience = PATIENT, key: str = ""
) -> Reasoner:
    settings = ReasonerSettings(
        backend="openai",
        base_url=url,
        model=model,
        temperature=0.0,
        first_token_timeout_s=patience.first_s,
        stall_timeout_s=patience.stall_s,
        reply_timeout_s=patience.total_s,
        api_key_env=key,
    )
    return build_reasoner(settings, phrasebook)


def ask(url: str, model: str, phrasebook: Phrasebook, patience: Patience) -> list[Thought]:
    reasoner = reasoner_for(url, model, phrasebook, patience)
    try:
        return list(reasoner.think(Request("do you speak")))
    finally:
        reasoner.close()
        assert not any(thread.name == "openai" for thread in threading.enumerate())


@pytest.fixture
def server() -> Iterator[HostileServer]:
    text = json.dumps(PARROT_ANSWER)
    server = HostileServer({"good": [text[first : first + 7] for first in range(0, len(text), 7)]})
    yield server
    server.close()


class TestTransformersServe:
    """`transformers serve` in a process of its own, with a model made here."""

    def start(self, processes: ProcessGroup, model: Path) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [Path(sys.prefix, "bin", "transformers"), "serve", model, "--port", str(port)]
        command += ["--host", "127.0.0.1", "--device", "cpu"]
        server = processes.start(command, name="server", env={"OMP_NUM_THREADS": "1"})
        url = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            assert server.poll() is None, processes.log("server")
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=10.0):
                    return True
            except OSError:
                return False

        wait_until(answers, what="the server")
        return f"{url}/v1"

    def test_a_model_that_knows_its_answer(
        self, processes: ProcessGroup, parrot_model: Path, phrasebook: Phrasebook
    ) -> None:
        url = self.start(processes, parrot_model)
        thoughts = ask(url, str(parrot_model), phrasebook, PATIENT)
        assert problem_of(thoughts) == "", processes.log("server")
        assert sentences_of(thoughts) == ["Yes, I do.", "I am a parrot!"]
        assert intentions_of(thoughts)[-1].action_prompt == PARROT_ANSWER["action_prompt"]

    def test_a_random_model_then_a_dead_server(
        self, processes: ProcessGroup, random_model: Path, phrasebook: Phrasebook
    ) -> None:
        url = self.start(processes, random_model)
        reasoner = reasoner_for(url, str(random_model), phrasebook)
        thoughts = list(reasoner.think(Request("hello")))
        assert problem_of(thoughts) == "cut_off", processes.log("server")
        assert is_fallback(thoughts, phrasebook)
        thinking = reasoner.think(Request("hello"))
        rest = iter(thinking)
        assert next(rest) == Began()
        thinking.cancel()
        assert list(rest) == []
        processes.stop()
        thoughts = list(reasoner.think(Request("are you still there")))
        assert problem_of(thoughts) == "server"
        assert is_fallback(thoughts, phrasebook)
        reasoner.close()


def test_the_good_answer(server: HostileServer, phrasebook: Phrasebook) -> None:
    thoughts = ask(server.url, "good", phrasebook, PATIENT)
    assert problem_of(thoughts) == ""
    assert sentences_of(thoughts) == ["Yes, I do.", "I am a parrot!"]
    (body,) = server.requests
    assert body["stream"] is True
    assert body["response_format"]["json_schema"]["schema"]["required"] == list(PARROT_ANSWER)


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("silent", "timeout"),
        ("stalls_after_headers", "timeout"),
        ("stalls_in_the_reply", "timeout"),
        ("drips", "timeout"),
        ("breaks_off", "malformed"),
        ("garbage", "server"),
        ("no_events", "malformed"),
        ("broken_event", "server"),
        ("odd_event", "malformed"),
        ("fails", "server"),
        ("unknown", "server"),
        ("endless", "malformed"),
    ],
)
def test_what_goes_wrong_ends_in_a_spoken_fallback(
    server: HostileServer, phrasebook: Phrasebook, model: str, problem: str
) -> None:
    patience = HURRIED if problem == "timeout" else PATIENT
    thoughts = ask(server.url, model, phrasebook, patience)
    assert problem_of(thoughts) == problem
    assert is_fallback(thoughts, phrasebook)
    said = sentences_of(thoughts)
    assert (said[0] == "I begin.") == (model == "stalls_in_the_reply")


@pytest.mark.parametrize("model", ["silent", "stalls_in_the_reply"])
def test_cancelling_releases_reader_and_server(
    server: HostileServer, phrasebook: Phrasebook, model: str
) -> None:
    reasoner = reasoner_for(server.url, model, phrasebook)
    thinking = reasoner.think(Request("hello"))
    thoughts: list[Thought] = []
    reader = threading.Thread(target=lambda: thoughts.extend(thinking))
    reader.start()
    wait_until(lambda: len(server.requests) == 1, what="the request")
    thinking.cancel()
    reader.join(60.0)
    assert not reader.is_alive()
    assert not is_fallback(thoughts, phrasebook)
    wait_until(server.gone.is_set, what="the connection's end")
    reasoner.close()


def test_nobody_listens(phrasebook: Phrasebook) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
    thoughts = ask(url, "m", phrasebook, PATIENT)
    assert problem_of(thoughts) == "server"
    assert is_fallback(thoughts, phrasebook)


def test_the_key_comes_from_the_environment(
    server: HostileServer, phrasebook: Phrasebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "s3cret")
    reasoner = reasoner_for(server.url, "good", phrasebook, key="MY_KEY")
    assert problem_of(list(reasoner.think(Request("hello")))) == ""
    reasoner.close()
    assert server.keys == ["Bearer s3cret"]


@pytest.mark.parametrize(("url", "model"), [("", "m"), ("localhost:1", "m"), ("http://x/v1", "")])
def test_an_address_that_is_none(phrasebook: Phrasebook, url: str, model: str) -> None:
    with pytest.raises(ReasonerError, match="expected base_url"):
        reasoner_for(url, model, phrasebook)
