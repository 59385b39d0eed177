"""A visitor from a sound file talks with the whole graph: heard, understood, answered, recorded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from tiny_checkpoint import write_tiny_profile

from avatar_nodes.cli import main
from avatar_nodes.profile import load_profile
from avatar_nodes.resources import share_path
from avatar_nodes.scripted_conversation import ScriptedConversation, visited_graph
from avatar_nodes.video_summary import summarise_video
from avatar_nodes.virtual_visitor import VisitorError

PROCESSES = (
    "ears: [microphone, listener], mind: [reasoner, voice, timeline],"
    " body: [conductor, denoiser_1, denoiser_2, decoder, presenter]"
)


@pytest.fixture
def profile(checkpoint: Path, tmp_path: Path) -> Path:
    return write_tiny_profile(tmp_path, checkpoint, processes=PROCESSES)


def test_questions_are_understood_and_answered(profile: Path, tmp_path: Path) -> None:
    lines: list[tuple[str, str]] = []
    graph = visited_graph(
        load_profile(profile), namespace=f"/test_{os.getpid()}", out=tmp_path / "talk.mp4"
    )
    listener = next(node for node in graph.nodes if node.kind == "listener")
    assert listener.parameters["echo"] == "none", "there is no echo in the visitor's sound"
    question = share_path("samples", "visitor", "1_robot.wav")
    conversation = ScriptedConversation(
        graph, [question, question], on_line=lambda *line: lines.append(line), log_level="warn"
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
