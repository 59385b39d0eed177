"""A conversation in which something goes wrong: a part dies, a cough comes, nobody may cut in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.graph_under_test import GraphUnderTest
from support.message_visitor import IDLE, SPEAKING, THINKING, Visitor
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import write_tiny_profile

from avatar_msgs.action import Perform, Say
from avatar_msgs.msg import AudioChunk, AvatarState, TurnControl
from avatar_nodes.graph.graph import Graph
from avatar_nodes.profile import load_profile, with_values
from avatar_nodes.wire.action_client import ActionClient
from avatar_nodes.wire.qos import LATCHED, public_qos

PROCESSES = (
    "mind: [reasoner], mouth: [voice], head: [conductor], "
    "body: [denoiser_1, denoiser_2, decoder, presenter]"
)
APART = PROCESSES.replace(", presenter]", "], eyes: [presenter]")
Meet = Callable[..., tuple[Visitor, GraphUnderTest]]


@pytest.fixture
def meet(
    checkpoint: Path, tmp_path: Path, processes: ProcessGroup, spinner: Spinner
) -> Iterator[Meet]:
    """Starts an avatar with these values of the profile, and a visitor before it."""
    started: list[GraphUnderTest] = []

    def start(
        *, processes_of: str = PROCESSES, **conversation: Any
    ) -> tuple[Visitor, GraphUnderTest]:
        profile = load_profile(write_tiny_profile(tmp_path, checkpoint, processes=processes_of))
        profile = with_values(profile, {"conversation": conversation})
        graph = Graph.from_profile(profile, mode="converse")
        visitor = Visitor(spinner, graph)
        running = GraphUnderTest(graph, tmp_path, processes)
        started.append(running)
        running.start([process.name for process in graph.processes if process.name in processes_of])
        visitor.meet()
        return visitor, running

    yield start
    for running in started:
        print(running.logs())


def test_without_barge_in_the_avatar_finishes_and_answers_nothing_meanwhile(meet: Meet) -> None:
    visitor, _ = meet(barge_in=False)
    turn = visitor.asks("what can you do")
    visitor.wait_for_sound()
    visitor.is_heard(True)
    visitor.is_heard(False)
    meanwhile = visitor.says("where are the toilets")
    visitor.wait_for(IDLE)
    visitor.wait_for_silence()
    assert visitor.commands(turn) == []
    assert visitor.answer("what is your name")
    assert {r.turn for r in visitor.replies} == {turn, turn + 2} and meanwhile == turn + 1


@pytest.mark.parametrize("words", ["where are the toilets", ""])
def test_without_barge_in_the_last_words_are_heard_too(meet: Meet, words: str) -> None:
    visitor, _ = meet(barge_in=False)
    first, said_into = len(visitor.avatar.sound), []

    def say_at_once(msg: AvatarState) -> None:
        """Idle by the block that is made now, while the last words are not heard yet."""
        if msg.state == IDLE and msg.replying and not said_into:
            said_into.append(visitor.says(words))

    visitor.node.create_subscription(AvatarState, "state", say_at_once, LATCHED)
    turn = visitor.asks("what can you do")
    visitor.wait_for(SPEAKING)
    wait_until(lambda: not visitor.avatar.states[-1].replying, what="the end of the reply")
    assert said_into == [turn + 1]
    visitor.wait_for_silence()
    heard, said = np.concatenate(list(visitor.avatar.sound)[first:]), visitor.words_of(turn)
    assert np.array_equal(heard[heard != 0], said[said != 0])
    assert visitor.controls == []
    assert {r.turn for r in visitor.replies} == {turn}


def test_a_cough_does_not_end_an_announcement(meet: Meet) -> None:
    visitor, _ = meet()
    say: ActionClient = ActionClient(visitor.node, Say, "say")
    assert say.wait_for_server(60.0)
    sent = say.send_goal_async(Say.Goal(text="The museum closes in ten minutes. " * 4))
    visitor.wait_for_sound()
    visitor.is_heard(True)
    wait_until(lambda: visitor.commands(0) == [TurnControl.PAUSE], what="a held announcement")
    visitor.is_heard(False)
    cough = visitor.says("", final=True)
    wait_until(lambda: TurnControl.RESUME in visitor.commands(0), what="the announcement again")
    result = sent.result().get_result_async()
    wait_until(result.done, what="its end")
    assert result.result().result.success, result.result().result.message
    assert visitor.commands(0) == [TurnControl.PAUSE, TurnControl.RESUME]
    assert not [r for r in visitor.replies if r.turn == cough]
    say.destroy()


def test_a_voice_that_dies_is_given_the_reply_again(meet: Meet) -> None:
    visitor, running = meet()
    turn = visitor.asks("what can you do")
    visitor.wait_for_sound()
    running.kill("mouth")
    running.start_again("mouth")

    def streams() -> list[str]:
        return list(dict.fromkeys(c.stream for c in list(visitor.spoken) if len(c.data)))

    wait_until(lambda: len(streams()) == 2, what="another stream of the reply")
    visitor.wait_for(SPEAKING)
    visitor.wait_for(IDLE)
    assert all(stream.startswith(f"turn-{turn}-") for stream in streams())
    last = [c for c in visitor.spoken if c.stream == streams()[1]]
    assert last[-1].end_of_stream
    length = max(c.first_sample + len(c.data) for c in last)
    in_blocks = [b for b in visitor.blocks if b.sound.stream == streams()[1]]
    assert max(b.next_sample for b in in_blocks) == length, "it was said to its end"
    assert TurnControl.CANCEL not in visitor.commands(turn)
    assert visitor.answer("what is your name")


def test_a_reasoner_that_dies_is_not_waited_for(meet: Meet) -> None:
    visitor, running = meet(thinking_timeout_s=600.0)
    running.kill("mind")
    turn = visitor.asks("what can you do")
    visitor.wait_for(THINKING)
    running.start_again("mind")
    visitor.wait_for(IDLE)
    assert visitor.commands(turn) == [TurnControl.CANCEL]
    assert "the reasoner was restarted" in visitor.controls[-1].reason
    # Until the new reasoner has found the visitor, what he says is lost.
    assert any(_is_answered(visitor, "what is your name") for _ in range(10))


def test_a_conductor_that_dies_between_two_answers_thinks_of_nothing_old(meet: Meet) -> None:
    visitor, running = meet(thinking_timeout_s=600.0, speaking_timeout_s=600.0)
    assert visitor.answer("what can you do")
    visitor.wait_for_silence()
    running.kill("head")
    seen = len(visitor.avatar.states)
    running.start_again("head")
    wait_until(lambda: len(visitor.avatar.states) > seen + 2, what="a conductor")
    assert {s.state for s in list(visitor.avatar.states)[seen:]} == {IDLE}
    assert visitor.answer("what is your name")


def test_a_conductor_that_dies_while_a_reply_is_held_lets_it_go_on(meet: Meet) -> None:
    visitor, running = meet(held_timeout_s=60.0)
    turn = visitor.asks("what can you do")
    visitor.wait_for_sound()
    visitor.is_heard(True)
    wait_until(lambda: visitor.commands(turn) == [TurnControl.PAUSE], what="a held reply")
    visitor.wait_for_silence()
    running.kill("head")
    running.start_again("head")
    wait_until(lambda: visitor.controls[-1].command == TurnControl.RESUME, what="an order")
    visitor.wait_for_sound()
    visitor.wait_for(IDLE)
    said = len(visitor.words_of(turn))
    stream = f"turn-{turn}-"
    in_blocks = [b.next_sample for b in visitor.blocks if b.sound.stream.startswith(stream)]
    assert max(in_blocks) == said, "it was said to its end"
    assert visitor.answer("what is your name")


def test_a_presenter_that_dies_while_a_reply_is_held_says_nothing_of_it(meet: Meet) -> None:
    visitor, running = meet(processes_of=APART, held_timeout_s=60.0)
    heard: list[AudioChunk] = []
    visitor.node.create_subscription(AudioChunk, "audio", heard.append, public_qos("RELIABLE"))
    turn = visitor.asks("what can you do")
    visitor.wait_for_sound()
    visitor.is_heard(True)
    wait_until(lambda: visitor.commands(turn) == [TurnControl.PAUSE], what="a held reply")
    running.kill("eyes")
    before = {chunk.stream for chunk in list(heard)}
    running.start_again("eyes")

    def after() -> list[AudioChunk]:
        return [chunk for chunk in list(heard) if chunk.stream not in before]

    wait_until(lambda: len(after()) > 60, what="five blocks of another presenter")
    assert visitor.commands(turn) == [TurnControl.PAUSE]
    assert not any(any(chunk.data) for chunk in after()), "sound of a reply that is held"
    visitor.is_heard(False)
    visitor.says("")
    visitor.wait_for_sound()
    assert visitor.commands(turn) == [TurnControl.PAUSE, TurnControl.RESUME]


def test_an_action_may_take_longer_than_a_conversation_waits(meet: Meet) -> None:
    visitor, _ = meet()
    perform: ActionClient = ActionClient(visitor.node, Perform, "perform")
    assert perform.wait_for_server(60.0)
    sent = perform.send_goal_async(Perform.Goal(prompt="A person waves.", duration=22.0))
    wait_until(sent.done, what="its begin")
    result = sent.result().get_result_async()
    wait_until(result.done, what="its end")
    assert result.result().result.success, result.result().result.message
    perform.destroy()


def test_an_announcement_may_take_longer_than_a_conversation_waits(meet: Meet) -> None:
    visitor, _ = meet(speaking_timeout_s=2.0)
    say: ActionClient = ActionClient(visitor.node, Say, "say")
    assert say.wait_for_server(60.0)
    tone = (8000 * np.sin(np.arange(6 * 16000) * 2 * np.pi * 300 / 16000)).astype(np.int16)
    goal = Say.Goal()
    goal.audio = AudioChunk(sample_rate=16000, channels=1)
    goal.audio.data.frombytes(tone.tobytes())
    sent = say.send_goal_async(goal)
    wait_until(sent.done, what="its begin")
    result = sent.result().get_result_async()
    wait_until(result.done, what="its end")
    assert result.result().result.success, result.result().result.message
    assert result.result().result.duration == pytest.approx(6.0, abs=0.05)
    assert visitor.commands(0) == []
    say.destroy()


def test_a_held_reply_waits_as_long_as_it_is_told(meet: Meet) -> None:
    visitor, _ = meet(held_timeout_s=0.6)
    turn = visitor.asks("what can you do")
    visitor.wait_for_sound()
    visitor.is_heard(True)  # and it never ends, and no words come
    wait_until(
        lambda: visitor.commands(turn) == [TurnControl.PAUSE, TurnControl.RESUME],
        what="the reply again",
    )
    assert "for more than 0.6 s" in visitor.controls[-1].reason
    visitor.wait_for_sound()
    told = [s.reason for s in list(visitor.avatar.states) if s.reason]
    assert told == ["held speaking for more than 0.6 s"], "once, for those who only watch"


def _is_answered(visitor: Visitor, text: str) -> bool:
    seen = len(visitor.avatar.states)
    visitor.says(text)
    try:
        wait_until(
            lambda: SPEAKING in {s.state for s in list(visitor.avatar.states)[seen:]},
            what="an answer", seconds=15.0,
        )  # fmt: skip
    except AssertionError:
        return False
    return True
