"""A conversation by its topics: turns, interruptions and coughs, an operator's requests.

Everything is real but the ears: the test says itself when the visitor speaks, and what.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from rclpy.task import Future
from std_srvs.srv import Trigger
from support.graph_under_test import GraphUnderTest, Listener
from support.message_visitor import IDLE, LISTENING, SPEAKING, THINKING, Visitor
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import write_tiny_profile

from avatar_msgs.action import Perform, Say
from avatar_msgs.msg import AudioChunk, BlockConditioning, TurnControl
from avatar_msgs.srv import SetPersona, SetPrompt, SetReference
from avatar_nodes.graph.graph import Graph
from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.profile import load_profile, with_values
from avatar_nodes.wire.action_client import ActionClient
from avatar_nodes.world import Identity, Performance, render

PROCESSES = "mind: [reasoner, voice], body: [conductor, denoiser_1, denoiser_2, decoder, presenter]"


@pytest.fixture
def visitor(
    checkpoint: Path, tmp_path: Path, processes: ProcessGroup, spinner: Spinner
) -> Iterator[Visitor]:
    persona = tmp_path / "own.yaml"
    persona.write_text("extends: default\n")
    profile = load_profile(write_tiny_profile(tmp_path, checkpoint, processes=PROCESSES))
    profile = with_values(profile, {"reasoner": {"persona": str(persona)}})
    graph = Graph.from_profile(profile, mode="converse")
    made = Visitor(spinner, graph)
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start(["mind", "body"])
    try:
        made.meet()
        yield made
    finally:
        print(running.logs())


def test_a_question_is_heard_thought_about_and_answered(visitor: Visitor) -> None:
    first = len(visitor.avatar.sound)
    turn = visitor.asks("where are the toilets")
    visitor.wait_for(SPEAKING)
    visitor.wait_for(IDLE)
    assert visitor.states[-4:] in ([IDLE, LISTENING, SPEAKING, IDLE], [
        LISTENING, THINKING, SPEAKING, IDLE,
    ])  # fmt: skip
    said = visitor.words_of(turn)
    heard = np.concatenate(list(visitor.avatar.sound)[first:])
    wait_until(
        lambda: _contains(np.concatenate(list(visitor.avatar.sound)[first:]), said),
        what=f"all {len(said)} samples of the reply, of which {np.count_nonzero(heard)} are heard",
    )
    assert visitor.commands(turn) == []
    prompts = [visitor.prompts[b.prompt_id] for b in visitor.blocks]
    assert "A person talks and points to the side." in prompts
    assert prompts[-1] != "A person talks and points to the side."
    changes = [b for a, b in zip(visitor.blocks, visitor.blocks[1:], strict=False)
               if a.prompt_id != b.prompt_id]  # fmt: skip
    assert changes and all(b.cache_switch for b in changes)


def test_words_cut_a_reply_short_and_a_cough_does_not(visitor: Visitor) -> None:
    turn = visitor.asks("what can you do")
    visitor.wait_for_sound()
    visitor.is_heard(True)
    wait_until(lambda: visitor.commands(turn) == [TurnControl.PAUSE], what="a held reply")
    visitor.wait_for(LISTENING)
    visitor.wait_for_silence()
    visitor.is_heard(False)
    visitor.says("", final=True)
    wait_until(
        lambda: visitor.commands(turn) == [TurnControl.PAUSE, TurnControl.RESUME],
        what="the reply again after a cough",
    )
    visitor.wait_for_sound()
    assert visitor.avatar.states[-1].turn == turn

    visitor.is_heard(True)
    visitor.wait_for(LISTENING)
    visitor.says("wait", final=False)
    wait_until(lambda: visitor.commands(turn)[-1] == TurnControl.CANCEL, what="a dropped reply")
    visitor.wait_for_silence()
    visitor.is_heard(False)
    another = visitor.says("thank you")
    visitor.wait_for_sound()
    visitor.wait_for(IDLE)
    assert visitor.commands(another) == []
    late = [c for c in visitor.blocks[-3:] if c.sound.stream.startswith(f"turn-{turn}-")]
    assert not late, "sound of a dropped reply"


def test_words_that_overtake_the_end_of_their_activity_hold_no_reply(visitor: Visitor) -> None:
    """Both are of one turn, on two topics."""
    visitor.wait_for(IDLE)
    visitor.is_heard(True)
    visitor.wait_for(LISTENING)
    turn = visitor.says("where is the toilet")
    visitor.wait_for(SPEAKING)
    visitor.is_heard(False)
    visitor.wait_for(IDLE)
    assert visitor.commands(turn) == []


def test_the_end_of_a_reply_is_cut_too_while_it_is_still_on_its_way(visitor: Visitor) -> None:
    turn = visitor.asks("what can you do")
    visitor.wait_for(SPEAKING)
    visitor.wait_for(IDLE)  # by the blocks that are made now; the last words are not heard yet
    visitor.is_heard(True)
    wait_until(lambda: visitor.commands(turn) == [TurnControl.PAUSE], what="a held reply")
    visitor.wait_for_silence()
    first = len(visitor.avatar.sound)
    visitor.is_heard(False)
    visitor.says("", final=True)
    visitor.wait_for_sound()
    visitor.wait_for(IDLE)
    visitor.wait_for_silence()
    assert visitor.commands(turn) == [TurnControl.PAUSE, TurnControl.RESUME]
    heard = np.concatenate(list(visitor.avatar.sound)[first:])
    heard, said = heard[heard != 0], visitor.words_of(turn)
    assert len(heard) > 2000 and np.array_equal(heard, said[said != 0][-len(heard) :])
    visitor.wait_for(IDLE)


def test_nonsense_leaves_nobody_waiting(visitor: Visitor) -> None:
    for text in ("", "   ", "zxqv brrl", "?" * 3000):
        visitor.is_heard(True)
        visitor.wait_for(LISTENING)
        visitor.is_heard(False)
        visitor.says(text)
        visitor.wait_for(IDLE)
    visitor.is_heard(True)  # and then nothing at all
    visitor.wait_for(LISTENING)
    visitor.is_heard(False)
    visitor.wait_for(IDLE)


def test_an_operator_lets_it_speak_perform_and_stop(visitor: Visitor) -> None:
    say = ActionClient(visitor.node, Say, "say")
    assert say.wait_for_server(60.0)
    told: list[Say.Feedback] = []
    result = _result(say, Say.Goal(text="Welcome to the booth."), told)
    assert (result.success, result.message) == (True, "")
    assert result.duration == pytest.approx(len(visitor.words_of(0)) / 16000, abs=0.5)
    assert told

    tone = (8000 * np.sin(np.arange(44100) * 2 * np.pi * 300 / 44100)).astype(np.int16)
    goal = Say.Goal()
    goal.audio = AudioChunk(sample_rate=44100, channels=1)
    goal.audio.data.frombytes(tone.tobytes())
    result = _result(say, goal)
    assert result.success and result.duration == pytest.approx(1.0, abs=0.05)
    assert not _result(say, Say.Goal()).success

    long = _send(say, Say.Goal(text="This is quite long. " * 10))
    visitor.wait_for_sound()
    interrupt = visitor.node.create_client(Trigger, "interrupt")
    assert _done(interrupt.call_async(Trigger.Request())).success
    stopped = _done(long.get_result_async()).result
    assert not stopped.success and "interrupted by an operator" in stopped.message
    visitor.wait_for(IDLE)
    assert not _done(interrupt.call_async(Trigger.Request())).success
    visitor.wait_for_silence()

    perform = ActionClient(visitor.node, Perform, "perform")
    assert perform.wait_for_server(60.0)
    performed = _result(perform, Perform.Goal(prompt="A person waves.", duration=1.4))
    assert performed.success
    waved = [b.block for b in visitor.blocks if visitor.prompts[b.prompt_id] == "A person waves."]
    assert waved and waved[0] == performed.first_block
    assert not _result(perform, Perform.Goal()).success
    for client in (say, perform):
        client.destroy()


def test_a_say_that_waits_is_cancelled_at_once_and_one_that_interrupts_does_not_wait(
    visitor: Visitor,
) -> None:
    say = ActionClient(visitor.node, Say, "say")
    assert say.wait_for_server(60.0)
    long = _send(say, Say.Goal(text="This is quite long. " * 10))
    ended = long.get_result_async()  # before it has: a server keeps results for ten seconds
    visitor.wait_for_sound()
    waiting = [_send(say, Say.Goal(text=text)) for text in ("Second.", "Third.")]
    for handle in reversed(waiting):
        assert _done(handle.cancel_goal_async()).goals_canceling
        outcome = _done(handle.get_result_async())
        assert outcome.status == GoalStatus.STATUS_CANCELED
        assert (outcome.result.message, outcome.result.duration) == ("cancelled", 0.0)
    assert long.status == GoalStatus.STATUS_EXECUTING, "the first goes on"
    assert visitor.commands(0) == []
    urgent = _result(say, Say.Goal(text="Fire!", interrupt=True))
    assert urgent.success, urgent.message
    cut = _done(ended)
    assert cut.status == GoalStatus.STATUS_ABORTED
    assert "the operator lets the avatar speak" in cut.result.message
    assert visitor.commands(0) == [TurnControl.CANCEL]
    assert not any(r.text in ("Second.", "Third.") for r in visitor.replies)
    say.destroy()


def test_a_reset_forgets_what_was_said(visitor: Visitor) -> None:
    name = visitor.answer("what is your name")
    assert visitor.answer("say that again") == name
    reset = visitor.node.create_client(Trigger, "reset")
    answer = _done(reset.call_async(Trigger.Request()))
    assert (answer.success, answer.message) == (True, "")
    assert visitor.answer("say that again") in load_persona("default").fallback.unknown


def test_a_reset_without_a_reasoner_hangs_nowhere(
    checkpoint: Path, tmp_path: Path, processes: ProcessGroup, spinner: Spinner
) -> None:
    profile = load_profile(write_tiny_profile(tmp_path, checkpoint, processes=PROCESSES))
    graph = Graph.from_profile(profile, mode="converse")
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start(["body"])
    avatar = Listener(spinner, graph.namespace)
    try:
        wait_until(lambda: len(avatar.frames) > 12, what="a moving avatar")
        reset = avatar.node.create_client(Trigger, "reset")
        assert reset.wait_for_service(60.0)
        for _ in range(2):
            answer = _done(reset.call_async(Trigger.Request()))
            assert (answer.success, answer.message) == (True, "no reasoner is there to forget")
        seen = len(avatar.frames)
        wait_until(lambda: len(avatar.frames) > seen + 12, what="an avatar that goes on")
    finally:
        print(running.logs())


def test_an_operator_chooses_whether_his_prompt_switches_the_caches(visitor: Visitor) -> None:
    """What the conversation itself changes switches them all the same."""
    client = visitor.node.create_client(SetPrompt, "set_prompt")
    assert client.wait_for_service(60.0)

    def first_block_after(text: str, *, switch: bool) -> BlockConditioning:
        answer = _done(client.call_async(SetPrompt.Request(prompt=text, cache_switch=switch)))
        assert answer.success, answer.message
        wait_until(lambda: visitor.blocks[-1].block >= answer.first_block, what="its first block")
        return next(b for b in list(visitor.blocks) if b.block == answer.first_block)

    for text, switch in (("A person smiles warmly.", False), ("A person nods.", True), ("", False)):
        block = first_block_after(text, switch=switch)
        assert visitor.prompts[block.prompt_id] == (text or load_persona("default").states.idle)
        assert block.cache_switch == switch
    seen = len(visitor.blocks)
    visitor.asks("where are the toilets")
    visitor.wait_for(SPEAKING)
    later = list(visitor.blocks)[seen - 1 :]
    changes = [b for a, b in pairwise(later) if a.prompt_id != b.prompt_id]
    assert changes and all(b.cache_switch for b in changes)


def test_another_person_begins_another_stream(visitor: Visitor, tmp_path: Path) -> None:
    client = visitor.node.create_client(SetReference, "set_reference")
    assert client.wait_for_service(60.0)
    refused = _done(client.call_async(SetReference.Request(path=str(tmp_path / "nobody.png"))))
    assert not refused.success and "nobody.png" in refused.message
    epochs = {b.epoch for b in visitor.blocks}
    request = SetReference.Request()
    request.image.frombytes(_portrait())
    answer = _done(client.call_async(request))
    assert answer.success, answer.message
    assert answer.message.startswith("framed around the face (")
    wait_until(lambda: any(b.epoch not in epochs for b in list(visitor.blocks)), what="a new epoch")
    fresh = next(b for b in visitor.blocks if b.epoch not in epochs)
    assert fresh.sink_version == 0, "from the picture alone"
    wait_until(lambda: visitor.blocks[-1].sink_version == 1, what="its own sink")


def test_another_persona_stands_otherwise(visitor: Visitor, tmp_path: Path) -> None:
    persona = tmp_path / "nodding.yaml"
    persona.write_text("extends: default\nname: Nod\nstates: {idle: A person nods in agreement.}\n")
    client = visitor.node.create_client(SetPersona, "reasoner/set_persona")
    assert client.wait_for_service(60.0)
    answer = _done(client.call_async(SetPersona.Request(persona="nodding")))
    assert answer.success, answer.message
    wait_until(
        lambda: visitor.prompts.get(visitor.blocks[-1].prompt_id) == "A person nods in agreement.",
        what="its way to be idle",
    )
    visitor.asks("what is your name")
    visitor.wait_for(SPEAKING)
    assert any("Nod" in reply.text for reply in visitor.replies)
    visitor.wait_for(IDLE)


def _portrait() -> bytes:
    """Somebody at the edge of a wide picture."""
    from PIL import Image

    person = Image.fromarray(render(Identity.sample(5), Performance.neutral(), 0))
    picture = Image.new("RGB", (700, 300), (120, 130, 140))
    picture.paste(person, (430, 20))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _contains(heard: np.ndarray, said: np.ndarray) -> bool:
    """Whether `said` was heard without a hole; silence within it may be longer."""
    return bool(len(said)) and np.array_equal(heard[heard != 0], said[said != 0])


def _send(client: ActionClient, goal: Any, told: list[Any] | None = None) -> Any:
    feedback = (lambda msg: told.append(msg.feedback)) if told is not None else None
    handle = _done(client.send_goal_async(goal, feedback))
    assert handle.accepted
    return handle


def _result(client: ActionClient, goal: Any, told: list[Any] | None = None) -> Any:
    return _done(_send(client, goal, told).get_result_async()).result


def _done(future: Future[Any]) -> Any:
    wait_until(future.done, what="an answer")
    return future.result()
