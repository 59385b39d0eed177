"""A visitor from a sound file talks with the whole graph: heard, understood, answered, recorded."""

from __future__ import annotations

import os
import re
from itertools import groupby
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.spinner import Spinner
from support.tiny_checkpoint import write_tiny_profile

from avatar_msgs.msg import AvatarState, Intent
from avatar_nodes.cli import main
from avatar_nodes.client.scripted_conversation import ScriptedConversation, visited_graph
from avatar_nodes.client.video_summary import summarise_video
from avatar_nodes.client.visitor import VisitorError
from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.profile import load_profile
from avatar_nodes.profile.resources import share_path
from avatar_nodes.wire.qos import LATCHED

pytest.importorskip("rclpy", reason="no ROS here")

PROCESSES = (
    "ears: [microphone, listener], mind: [reasoner, voice, timeline],"
    " body: [conductor, denoiser_1, denoiser_2, decoder, presenter]"
)


@pytest.fixture
def profile(checkpoint: Path, tmp_path: Path) -> Path:
    return write_tiny_profile(tmp_path, checkpoint, processes=PROCESSES)


class Onlooker:
    """Sees in which states the avatar is, under which prompts, and what it intends."""

    def __init__(self, spinner: Spinner, namespace: str) -> None:
        node = spinner.create_node("onlooker", namespace=namespace)
        self._seen: list[tuple[int, str]] = []
        self._intents: dict[int, str] = {}
        node.create_subscription(AvatarState, "state", self._on_state, LATCHED)
        node.create_subscription(Intent, "intent", self._on_intent, LATCHED)

    def _on_state(self, msg: AvatarState) -> None:
        self._seen.append((msg.state, msg.prompt))

    def _on_intent(self, msg: Intent) -> None:
        self._intents.setdefault(msg.turn, msg.action_prompt)

    @property
    def order(self) -> str:
        """The states by their first letters, none twice in a row. THINKING is left out: it is shown
        where a block begins while the reply is made, and that is seldom."""
        letters = ("ILTS"[state] for state, _ in self._seen)
        return "".join(
            letter for letter, _ in groupby(letter for letter in letters if letter != "T")
        )

    def prompts(self, state: int) -> set[str]:
        return {prompt for seen, prompt in self._seen if seen == state}

    @property
    def first_spoken(self) -> list[str]:
        """The first prompt of each answer."""
        runs = groupby(self._seen, key=lambda seen: seen[0])
        return [next(run)[1] for state, run in runs if state == AvatarState.SPEAKING]

    @property
    def gestures(self) -> list[str]:
        """What was intended, in the order of the turns."""
        return [self._intents[turn] for turn in sorted(self._intents)]


def test_questions_are_understood_and_answered(
    profile: Path, tmp_path: Path, spinner: Spinner
) -> None:
    lines: list[tuple[str, str]] = []
    graph = visited_graph(
        load_profile(profile), namespace=f"/test_{os.getpid()}", out=tmp_path / "talk.mp4"
    )
    listener = next(node for node in graph.nodes if node.kind == "listener")
    assert listener.parameters["echo"] == "none", "there is no echo in the visitor's sound"
    questions = [share_path("samples", "visitor", f"{n}.wav") for n in ("1_robot", "2_toilets")]
    onlooker = Onlooker(spinner, graph.namespace)
    conversation = ScriptedConversation(
        graph, questions, on_line=lambda *line: lines.append(line), log_level="warn"
    )
    conversation.run()
    assert [who for who, _ in lines].count("visitor") == 2
    assert lines[0][0] == "visitor" and "robot" in lines[0][1]
    assert [who for who, _ in lines].count("avatar") >= 2
    answered = [t for t in conversation.timelines if t.first_frame]
    assert len(answered) == 2
    for t in answered:
        assert t.speech_started < t.speech_ended <= t.turn_detected <= t.utterance_ready
        assert t.first_segment <= t.first_sound <= t.first_block <= t.first_frame
    assert "frames of" in str(summarise_video(tmp_path / "talk.mp4"))

    states, gestures = load_persona("default").states, onlooker.gestures
    assert re.fullmatch("I(LI?SI){2}", onlooker.order), onlooker.order
    assert onlooker.prompts(AvatarState.LISTENING) == {states.listening}
    assert onlooker.prompts(AvatarState.THINKING) <= {states.thinking}
    assert len(gestures) == 2 and onlooker.first_spoken == gestures
    assert onlooker.prompts(AvatarState.SPEAKING) <= {*gestures, states.speaking}
    assert onlooker.prompts(AvatarState.IDLE) <= {*gestures, states.idle}


def test_a_graph_that_does_not_start_is_said(profile: Path, tmp_path: Path) -> None:
    text = profile.read_text().replace("checkpoint: ", "checkpoint: /nowhere")
    profile.write_text(text)
    graph = visited_graph(load_profile(profile), namespace=f"/test_{os.getpid()}")
    question = share_path("samples", "visitor", "1_robot.wav")
    with pytest.raises(VisitorError):
        ScriptedConversation(graph, [question], on_line=print, log_level="fatal").run()


def test_a_question_that_is_no_sound_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "question.wav").write_text("hello?")
    result = CliRunner().invoke(main, ["converse", str(tmp_path / "question.wav")])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ") and "question.wav" in result.output
