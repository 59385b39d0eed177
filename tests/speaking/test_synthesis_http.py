"""Speech from a server, a real process: what it sends is heard; what it does wrong is an error."""

from __future__ import annotations

import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soxr
from support import speech_server
from support.process_group import ProcessGroup
from support.waiting import wait_until

from avatar_nodes.sound.audio_file import float_from_pcm
from avatar_nodes.speaking.synthesis.http import HttpSynthesiser
from avatar_nodes.speaking.synthesis.synthesiser import SynthesisError

RATE = 16_000
TEXT = "twelve chars"
NEVER_S = 600.0

pytest.importorskip("openai", reason="no openai client here")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base URL of a running server."""
    folder = tmp_path_factory.mktemp("server")
    with ProcessGroup(folder) as processes:
        command = [sys.executable, Path(speech_server.__file__), folder / "port"]
        processes.start(command, name="server")
        wait_until((folder / "port").is_file, what="the server's port")
        yield f"http://127.0.0.1:{(folder / 'port').read_text()}"


@pytest.fixture
def made() -> Iterator[list[HttpSynthesiser]]:
    """Closes what is put into it."""
    before = {thread.name for thread in threading.enumerate()}
    synthesisers: list[HttpSynthesiser] = []
    yield synthesisers
    for synthesiser in synthesisers:
        synthesiser.close()
    left = {thread.name for thread in threading.enumerate()} - before
    assert not left, f"threads that outlive their synthesiser: {left}"


def client(
    made: list[HttpSynthesiser], server: str, voice: str, **options: object
) -> HttpSynthesiser:
    settings = {"model": str(RATE), "timeout_s": NEVER_S} | options
    made.append(HttpSynthesiser(url=f"{server}/v1", voice=voice, **settings))  # type: ignore[arg-type]
    return made[-1]


def whole(synthesiser: HttpSynthesiser, text: str = TEXT) -> np.ndarray:
    return np.concatenate(list(synthesiser.synthesise(text)))


@pytest.mark.parametrize(
    ("voice", "response_format"),
    [("good", "wav"), ("good", "pcm"), ("sized", "wav"), ("floats", "wav")],
)
def test_sound_comes_through_sample_by_sample(
    server: str, made: list[HttpSynthesiser], voice: str, response_format: str
) -> None:
    speech = whole(client(made, server, voice, response_format=response_format))
    assert np.array_equal(speech, speech_server.sound(TEXT))


def test_another_rate_is_resampled(server: str, made: list[HttpSynthesiser]) -> None:
    speech = whole(client(made, server, "good", model="44100"))
    source = speech_server.sound(TEXT)
    expected = soxr.resample(float_from_pcm(source), 44_100, RATE)
    assert len(speech) == pytest.approx(len(expected), abs=2)
    shared = min(len(speech), len(expected))
    assert np.allclose(speech[:shared] / 32768.0, expected[:shared], atol=1e-3)


def test_first_sound_before_the_server_has_made_the_rest(
    server: str, made: list[HttpSynthesiser]
) -> None:
    stream = client(made, server, "held").synthesise(TEXT)
    first = next(stream)
    assert len(first)
    with urllib.request.urlopen(f"{server}/go") as answer:
        assert answer.status == 200
    assert np.array_equal(np.concatenate([first, *stream]), speech_server.sound(TEXT))


@pytest.mark.parametrize(
    ("voice", "options", "message"),
    [
        ("garbage", {}, "no WAV sound"),
        ("page", {}, "text/html in place of sound: <html>log in first"),
        ("refuse", {}, "out of memory"),
        ("mute", {"timeout_s": 0.3}, "Timeout"),
    ],
)
def test_an_answer_without_sound_is_an_error(
    server: str, made: list[HttpSynthesiser], voice: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(SynthesisError, match=message) as raised:
        whole(client(made, server, voice, **options))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("voice", "timeout_s"), [("die", NEVER_S), ("stall", 0.5)])
def test_sound_that_breaks_off_is_heard_until_there_and_then_an_error(
    server: str, made: list[HttpSynthesiser], voice: str, timeout_s: float
) -> None:
    stream = client(made, server, voice, timeout_s=timeout_s).synthesise(TEXT)
    heard: list[np.ndarray] = []
    with pytest.raises(SynthesisError, match=server):
        heard.extend(stream)
    speech = np.concatenate(heard)
    assert 0 < len(speech) < len(speech_server.sound(TEXT))
    assert np.array_equal(speech, speech_server.sound(TEXT)[: len(speech)])


@pytest.mark.parametrize("voice", ["stall", "mute"])
def test_cancel_ends_any_wait(server: str, made: list[HttpSynthesiser], voice: str) -> None:
    synthesiser = client(made, server, voice)
    stream = synthesiser.synthesise(TEXT)
    heard: list[np.ndarray] = []
    if voice == "stall":
        heard.append(next(stream))
    taker = threading.Thread(target=lambda: heard.extend(stream))
    taker.start()
    stream.cancel()
    taker.join(60.0)
    assert not taker.is_alive()
    assert np.array_equal(whole(client(made, server, "good")), speech_server.sound(TEXT))


def test_no_server_there(made: list[HttpSynthesiser]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(SynthesisError, match=r"[Cc]onnection"):
            whole(client(made, url, "good"))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"url": "localhost:80"}, "expected a URL"), ({"response_format": "mp3"}, "mp3")],
)
def test_wrong_settings_are_refused(options: dict[str, str], message: str) -> None:
    settings = {"url": "http://127.0.0.1:1/v1", "voice": "a", "model": "b"} | options
    with pytest.raises(SynthesisError, match=message):
        HttpSynthesiser(**settings)  # type: ignore[arg-type]
