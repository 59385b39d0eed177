"""A visitor with a browser and the whole graph: asked aloud, answered, interrupted, recovered."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.browser import Page, browsing
from support.http_client import ask
from support.process_group import ProcessGroup
from support.tiny_checkpoint import write_tiny_profile
from support.waiting import wait_until

from avatar_nodes.profile.resources import share_path
from avatar_nodes.sound.audio_file import read_audio_file

PROCESSES = (
    "ears: [microphone, listener], mind: [reasoner, voice, timeline],"
    " body: [conductor, denoiser_1, denoiser_2, decoder, presenter]"
)
UNLABELLED = "archive: {label: false}\n"
"""The pictures of tests are too small for a label."""
LONG = "I have a great deal to tell you about this booth. " * 12


@pytest.fixture(scope="module")
def question(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of silence, "Are you a robot?", and silence for a long time."""
    asked = read_audio_file(share_path("samples", "visitor", "1_robot.wav"))
    sound = np.concatenate([np.zeros(16_000), asked / 32768.0, np.zeros(60 * 16_000)])
    path = tmp_path_factory.mktemp("sound") / "question.wav"
    soundfile.write(path, sound, 16_000, subtype="PCM_16")
    return path


@pytest.fixture
def url(
    checkpoint: Path, tmp_path: Path, processes: ProcessGroup, ros_domain: int
) -> Iterator[str]:
    """Where the page of a conversing avatar is."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    profile = write_tiny_profile(tmp_path, checkpoint, processes=PROCESSES)
    with profile.open("a") as file:
        file.write(f"kiosk: {{port: {port}, label: false}}\n{UNLABELLED}")
    command = [
        sys.executable, "-m", "avatar_nodes.cli", "up", "--profile", profile, "--mode", "converse",
        "--kiosk", "--namespace", f"/test_{os.getpid()}",
    ]  # fmt: skip
    processes.start(command, name="avatar")
    wait_until(lambda: "ready: the avatar" in processes.log("avatar"), what="the avatar")
    yield f"http://127.0.0.1:{port}"
    print(processes.log("avatar"))


def until_state(page: Page, *states: str) -> None:
    page.wait(
        lambda: page.run("document.querySelector('#state').dataset.state") in states,
        f"state {' or '.join(states)}",
    )


def test_a_spoken_question_is_answered_and_an_answer_is_interrupted(
    url: str, question: Path
) -> None:
    with browsing(microphone=question) as open_page:
        page = open_page(url)
        page.wait_live()
        page.wait(lambda: page.frames > 25, "pictures")
        page.page.click("#talk")
        page.wait(lambda: "robot" in page.text("#visitor"), "what was asked")
        page.wait(lambda: len(page.text("#avatar")) > 10, "the answer's words")
        until_state(page, "speaking")
        until_state(page, "idle")
        page.page.click("#talk")
        page.page.wait_for_selector("#talk[aria-pressed=false]")

        assert ask(url, "POST", "/api/operator/say", body={"value": LONG}).status == 200
        until_state(page, "speaking")
        assert page.text("#avatar").startswith("I have a great deal")
        page.page.click("#talk")  # the visitor's words begin anew with the microphone
        until_state(page, "listening")
        page.wait(lambda: "robot" in page.text("#visitor"), "what was asked into it")
        page.wait(lambda: "great deal" not in page.text("#avatar"), "another answer")
        until_state(page, "idle")
        energy = page.run(
            "async () => [...(await avatarConnection.peer.getStats()).values()]"
            ".find((s) => s.type === 'inbound-rtp' && s.kind === 'audio').totalAudioEnergy"
        )
        assert energy > 0.01, "both answers were heard"
        assert not page.errors


def test_a_written_question_is_answered_and_the_kiosk_may_be_killed(
    url: str, processes: ProcessGroup
) -> None:
    import psutil

    with browsing() as open_page:
        page = open_page(url)
        page.wait_live()
        page.page.fill("#text", "What is your name?")
        page.page.keyboard.press("Enter")
        page.wait(lambda: "Ada" in page.text("#avatar"), "the answer")
        until_state(page, "idle")
        [kiosk] = [
            child
            for child in psutil.Process().children(recursive=True)
            if "avatar_nodes.nodes.kiosk" in child.cmdline()
        ]
        kiosk.kill()
        page.wait(lambda: page.run("document.documentElement.dataset.connection") != "live", "end")
        page.wait_live()
        before = page.frames
        page.wait(lambda: page.frames > before + 25, "pictures again")
        page.page.fill("#text", "What is your name?")
        page.page.keyboard.press("Enter")
        page.wait(lambda: "Ada" in page.text("#avatar"), "the answer again")
        assert not page.errors
