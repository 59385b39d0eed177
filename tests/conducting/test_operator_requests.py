"""What comes of requests to speak and to act, before a whole simulated graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from support.settings import settings_of
from support.simulated_graph import STAGES, TIMING, SimulatedGraph

from avatar_nodes.conducting import effects as fx
from avatar_nodes.conducting.conversation_table import Command
from avatar_nodes.conducting.operator_requests import SayRequest, SaySound
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.conducting.state_cycling import TurnPrompts

LONG = "It is quite long. " * 4


@pytest.fixture
def graph() -> SimulatedGraph:
    settings = settings_of(ConductorSettings, mode="converse", stages=list(STAGES))
    graph = SimulatedGraph(settings)
    graph.run(2.0)
    return graph


def say(graph: SimulatedGraph, id: int, text: str, **named: Any) -> None:
    graph.call("requests.say", id, SayRequest(text, **named))


def perform(graph: SimulatedGraph, id: int, prompt: str, seconds: float) -> None:
    graph.call("requests.perform", graph.at, id, prompt, seconds)


def told(graph: SimulatedGraph, kind: type[fx.Effect]) -> list[tuple[Any, ...]]:
    return [
        effect[1:] for effects in graph.told for effect in effects if effect[0] == kind.__name__
    ]


def test_a_text_is_spoken_to_its_end(graph: SimulatedGraph) -> None:
    say(graph, 1, "Hello there.", language="en")
    graph.run(5.0)
    over = graph.seen.over[1]
    assert isinstance(over, fx.SayOver)
    assert (over.success, over.message) == (True, "")
    assert over.duration_s == pytest.approx(graph.voice.length / TIMING.sample_rate)
    request, spoken, elapsed_s, total_s = told(graph, fx.SayFeedback)[-1]
    assert (request, spoken, elapsed_s) == (1, "Hello there.", total_s)


def test_sound_that_is_handed_over_is_spoken_at_the_graph_s_rate(graph: SimulatedGraph) -> None:
    stereo = np.ones(2 * 44_100, np.int16)
    spoken = SaySound("turn-0-a", stereo, sample_rate=44_100, channels=2)
    graph.call("requests.say", 1, SayRequest("", sound=spoken))
    graph.run(5.0)
    over = graph.seen.over[1]
    assert isinstance(over, fx.SayOver) and over.success
    assert over.duration_s == pytest.approx(1.0, abs=0.01)
    heard = [block for block in graph.seen.blocks if block.issued.stream == "turn-0-a"]
    assert sum(b.issued.next_sample - b.issued.first_sample for b in heard) == TIMING.sample_rate


@pytest.mark.parametrize("text", ["", " ?! "])
def test_nothing_to_say_is_refused(graph: SimulatedGraph, text: str) -> None:
    say(graph, 1, text)
    graph.run(0.1)
    over = graph.seen.over[1]
    assert not over.success and "expected words" in over.message


def test_speech_waits_for_its_turn_unless_it_may_interrupt(graph: SimulatedGraph) -> None:
    say(graph, 1, LONG)
    graph.run(1.0)
    say(graph, 2, "Second.")
    say(graph, 3, "Third.", interrupt=True)
    graph.run(0.2)
    assert list(graph.seen.over) == [1] and not graph.seen.over[1].success
    assert [order.command for order in graph.seen.orders] == [Command.CANCEL]
    graph.run(10.0)
    assert list(graph.seen.over) == [1, 3, 2]
    assert graph.seen.over[2].success and graph.seen.over[3].success


def test_cancelled_speech_ends_whether_it_waits_or_is_heard(graph: SimulatedGraph) -> None:
    say(graph, 1, LONG)
    graph.run(1.0)
    say(graph, 2, "Second.")
    graph.call("requests.cancel", 2)
    graph.run(0.1)
    assert list(graph.seen.over) == [2] and graph.seen.over[2].message == "cancelled"
    graph.call("requests.cancel", 1)
    graph.run(0.1)
    over = graph.seen.over[1]
    assert isinstance(over, fx.SayOver) and over.message == "the request was cancelled"
    elapsed_s = max(elapsed for id, _, elapsed, _ in told(graph, fx.SayFeedback) if id == 1)
    assert 0.0 < elapsed_s <= over.duration_s < 1.1, "what was heard of it"
    assert not graph.conductor.conversation.busy


def test_an_action_lasts_as_long_as_it_is_told(graph: SimulatedGraph) -> None:
    perform(graph, 1, "waves", 1.4)
    graph.run(5.0)
    over = graph.seen.over[1]
    assert isinstance(over, fx.PerformOver) and over.success
    waved = [b.issued.block for b in graph.seen.blocks if b.issued.prompt_id == "waves"]
    assert waved == list(range(over.first_block, over.last_block + 1)) and len(waved) == 3
    assert [blocks for _, blocks, _ in told(graph, fx.PerformFeedback)][-1] == 2


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1.0])
def test_an_action_without_an_end_is_refused(graph: SimulatedGraph, seconds: float) -> None:
    perform(graph, 1, "waves", seconds)
    graph.run(0.1)
    assert "expected seconds" in graph.seen.over[1].message


def test_an_action_is_for_a_time_in_which_nobody_talks(graph: SimulatedGraph) -> None:
    perform(graph, 1, " ", 1.0)
    perform(graph, 2, "waves", 0.0)
    perform(graph, 3, "nods", 1.0)
    say(graph, 4, LONG)
    graph.run(0.5)
    perform(graph, 5, "nods", 1.0)
    graph.run(0.1)
    messages = {id: over.message for id, over in graph.seen.over.items()}
    assert list(messages) == [1, 3, 2, 5]
    assert "expected words" in messages[1] and messages[2] == "a conversation began"
    assert "busy" in messages[3] and "busy" in messages[5]


def test_interrupting_says_whether_there_was_anything_to_interrupt(graph: SimulatedGraph) -> None:
    assert not graph.call("requests.interrupt", graph.at)
    say(graph, 1, LONG)
    graph.run(1.0)
    assert graph.call("requests.interrupt", graph.at)
    graph.run(0.1)
    assert graph.seen.over[1].message == "interrupted by an operator"


def test_a_reset_takes_an_operator_s_prompt_back(graph: SimulatedGraph) -> None:
    graph.call("set_prompt", "smiles", cache_switch=True)
    graph.run(2.0)
    assert graph.seen.blocks[-1].issued.prompt_id == "smiles"
    graph.call("requests.reset", graph.at)
    graph.run(2.0)
    assert graph.seen.blocks[-1].issued.prompt_id == graph.settings.prompt


def test_an_action_that_ends_before_a_block_claims_none(graph: SimulatedGraph) -> None:
    perform(graph, 1, "waves", 5.0)
    perform(graph, 2, "nods", 5.0)
    graph.call("requests.cancel", 1)
    graph.run(0.05)
    for id in (1, 2):
        over = graph.seen.over[id]
        assert isinstance(over, fx.PerformOver) and not over.success
        assert (over.first_block, over.last_block) == (0, 0), "of the other's it claims none"


def test_of_what_was_said_before_nothing_counts(graph: SimulatedGraph) -> None:
    say(graph, 1, LONG)
    graph.run(8.0)
    say(graph, 2, "Second.")
    graph.run(5.0)
    first, second = graph.seen.over[1], graph.seen.over[2]
    assert isinstance(first, fx.SayOver) and isinstance(second, fx.SayOver)
    said_s = graph.voice.length / TIMING.sample_rate
    assert first.success and second.success and first.duration_s > said_s
    assert second.duration_s == pytest.approx(said_s)
    feedback = [
        (elapsed, total) for id, _, elapsed, total in told(graph, fx.SayFeedback) if id == 2
    ]
    assert max(feedback) <= (said_s, said_s)


def test_an_utterance_of_which_nothing_comes_is_told_again_once(graph: SimulatedGraph) -> None:
    """Its publisher may have been gone before the reasoner had found it. Time-outs may change."""
    changed = graph.settings.model_copy(update={"thinking_timeout_s": 5.0})
    graph.call("adapt", changed)
    graph.call("conversation.utterance", graph.at, turn=7, text="hi", is_final=True, end_ns=0)
    graph.run(1.8)
    assert told(graph, fx.AskAgain) == []
    graph.run(2.0)
    assert told(graph, fx.AskAgain) == [(7,)] and graph.conductor.conversation.busy
    graph.run(3.0)
    assert told(graph, fx.AskAgain) == [(7,)] and not graph.conductor.conversation.busy


def test_an_utterance_that_is_thought_about_is_not_told_again(graph: SimulatedGraph) -> None:
    graph.call("conversation.utterance", graph.at, turn=7, text="hi", is_final=True, end_ns=0)
    graph.call("conversation.intent", graph.at, 7, TurnPrompts())
    graph.run(4.0)
    assert told(graph, fx.AskAgain) == []
