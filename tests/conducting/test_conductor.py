"""What a conductor wants done, call by call."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pytest
from support.settings import settings_of
from support.simulated_graph import (
    BLOCK_S,
    BLOCK_SAMPLES,
    LATENT,
    STAGES,
    SimulatedGraph,
    new_conductor,
    sound,
)

from avatar_nodes.block.block import Sink
from avatar_nodes.conducting import effects as fx
from avatar_nodes.conducting.conversation_table import Command, State
from avatar_nodes.conducting.operator_requests import SayRequest
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.errors.refused_error import RefusedError

Kind = TypeVar("Kind")
WALL_NS = 1_790_000_000_000_000_000
REFERENCE = Sink(0, LATENT[:, :1], "")


def settings(**changes: Any) -> ConductorSettings:
    return settings_of(ConductorSettings, **{"stages": list(STAGES), **changes})


class Hands:
    """Calls a conductor at seconds of a clock of the test's."""

    def __init__(self, **changes: Any) -> None:
        self.conductor = new_conductor(settings(**changes))
        self.now = 100.0
        self.epoch = 0

    @property
    def at(self) -> fx.Moment:
        return fx.Moment(self.now, WALL_NS + round(self.now * 1e9))

    def stages_tell(self, *, epoch: int = 0, instance: str = "first") -> None:
        for name in STAGES:
            self.conductor.status(self.at, name, instance=instance, ready=epoch > 0, epoch=epoch)

    def advance(self) -> list[fx.Effect]:
        effects = self.conductor.advance(self.at)
        for effect in effects:
            if isinstance(effect, fx.BeginEpoch):
                self.epoch = effect.start.epoch
        return effects

    def begin(self) -> list[fx.Effect]:
        """Up to the moment at which blocks can be issued; returns what was done for it."""
        self.conductor.sink(REFERENCE, replaces=False)
        self.stages_tell()
        effects = self.advance()
        self.stages_tell(epoch=self.epoch)
        return effects

    def presented(self, block: int) -> None:
        """The presenter has taken the blocks up to this one, and shows it."""
        self.conductor.credit(
            self.at, epoch=self.epoch, presented_block=block, playable_block=block, queue_depth=0,
            next_due_ns=self.at.wall_ns + round(BLOCK_S * 1e9),
        )  # fmt: skip

    def speech(self, first: int, last: int, **named: Any) -> None:
        values = {"stream": "s", "first_sample": first, "end_of_stream": False} | named
        self.conductor.sound(self.at, samples=sound(first, last), **values)


def of(kind: type[Kind], effects: list[fx.Effect]) -> list[Kind]:
    return [effect for effect in effects if isinstance(effect, kind)]


def one(kind: type[Kind], effects: list[fx.Effect]) -> Kind:
    (found,) = of(kind, effects)
    return found


def test_an_epoch_begins_when_all_are_there_and_who_is_seen_is_known() -> None:
    hands = Hands(seed=7)
    hands.stages_tell()
    effects = hands.advance()
    assert not of(fx.BeginEpoch, effects)
    assert not one(fx.ReportCondition, effects).ready
    hands.conductor.sink(REFERENCE, replaces=False)
    effects = hands.advance()
    epoch = one(fx.BeginEpoch, effects)
    assert (epoch.start.first_block, epoch.start.seed, epoch.start.sink) == (0, 7, REFERENCE)
    assert epoch.start.epoch == hands.at.unix_ms
    assert epoch.reason == "every stage is there" and epoch.instances == ("first",) * 3
    assert not of(fx.IssueBlock, effects), "nobody is ready in it"
    assert one(fx.ReportCondition, effects).detail == f"waiting for {', '.join(STAGES)}"


def test_a_rendering_s_blocks_come_one_a_call_as_far_as_there_are_credits() -> None:
    hands = Hands(mode="render", pace="free", max_in_flight=2)
    hands.begin()
    hands.speech(0, 4 * BLOCK_SAMPLES, end_of_stream=True)
    blocks = [of(fx.IssueBlock, hands.advance()) for _ in range(3)]
    assert [len(found) for found in blocks] == [1, 0, 0], "block 1 waits for the stream's own sink"
    hands.conductor.sink(Sink(1, LATENT[:, :1], "", hands.epoch), replaces=False)
    second = one(fx.IssueBlock, hands.advance())
    assert (second.issued.block, second.sink_version, second.in_flight) == (1, 1, 2)
    assert second.due_ns == 0, "as fast as it can be"
    assert np.array_equal(second.issued.samples, sound(BLOCK_SAMPLES, 2 * BLOCK_SAMPLES))
    assert not of(fx.IssueBlock, hands.advance())
    hands.presented(0)
    third = hands.advance()
    assert one(fx.IssueBlock, third).issued.block == 2
    state = one(fx.ReportState, third)
    assert (state.state, state.block, state.epoch) == (State.RENDERING, 2, hands.epoch)


def test_a_stream_ends_once() -> None:
    graph = SimulatedGraph(settings(mode="render", pace="free"), source_samples=100)
    graph.run(5.0)
    finished = [state for state in graph.seen.states if state.state is State.FINISHED]
    assert [(state.block, state.total_blocks) for state in finished] == [(0, 1)]
    assert [told for effects in graph.told for told in effects if told[0] == "EndStream"] == [
        ("EndStream", 0)
    ]


def test_in_real_time_a_block_says_when_it_is_due() -> None:
    hands = Hands(margin_s=0.1)
    hands.begin()
    first = one(fx.IssueBlock, hands.advance())
    assert first.due_ns == hands.at.wall_ns
    hands.now += 0.2
    hands.conductor.sink(Sink(1, LATENT[:, :1], "", hands.epoch), replaces=False)
    hands.presented(0)
    assert not of(fx.IssueBlock, hands.advance()), "too early"
    due_ns = hands.at.wall_ns + round(BLOCK_S * 1e9)
    hands.now += BLOCK_S - 0.1
    second = one(fx.IssueBlock, hands.advance())
    assert abs(second.due_ns - due_ns) < 1e6


def test_what_was_decided_before_a_call_is_refused_comes_all_the_same() -> None:
    hands = Hands(mode="converse")
    hands.begin()
    hands.conductor.requests.say(1, SayRequest("Hello."))
    hands.advance()
    with pytest.raises(RefusedError, match="missing") as refused:
        hands.speech(50, 60, stream="turn-0-a")
    assert refused.value.reason == "gap"
    hands.conductor.requests.interrupt(hands.at)
    effects = hands.advance()
    assert one(fx.TurnOrder, effects).command is Command.CANCEL
    assert one(fx.SayOver, effects).message == "interrupted by an operator"


def test_demand_is_told_when_it_has_changed_and_again_while_nothing_comes() -> None:
    hands = Hands()
    first = one(fx.DemandSound, hands.begin())
    assert (first.stream, first.next_sample) == ("", 0)
    hands.now += 0.6
    hands.stages_tell(epoch=hands.epoch)
    assert not of(fx.DemandSound, hands.advance())
    hands.now += 0.6
    hands.stages_tell(epoch=hands.epoch)
    assert one(fx.DemandSound, hands.advance()) == first, "a stranger's may have been heard since"
    hands.now += 0.2
    hands.speech(0, 100)
    assert one(fx.DemandSound, hands.advance()) == fx.DemandSound("s", 100, first.limit_sample)


def test_a_prompt_is_told_before_the_block_that_carries_it() -> None:
    hands = Hands()
    hands.begin()
    hands.conductor.set_prompt("smiles", cache_switch=True)
    effects = hands.advance()
    told = [type(effect) for effect in effects]
    assert told.index(fx.AnnouncePrompt) < told.index(fx.IssueBlock)
    assert one(fx.AnnouncePrompt, effects).prompt.text == "smiles" == hands.conductor.prompt.text
    assert one(fx.IssueBlock, effects).issued.prompt_id == "smiles"


def test_another_person_begins_a_stream_of_their_own() -> None:
    graph = SimulatedGraph(settings())
    graph.run(5.0)
    graph.another_person()
    epoch = graph.seen.epoch
    assert epoch is not None and epoch.reason == "another reference picture"
    assert epoch.start.stream_start == epoch.start.first_block > 5
    assert epoch.start.context == () and epoch.start.sink is not None
    assert epoch.start.sink.version == 0
    graph.run(5.0)
    assert [block.sink_version for block in graph.seen.blocks[-2:]] == [1, 1]


def test_a_conductor_that_takes_another_s_place_goes_on_where_that_one_was() -> None:
    before = SimulatedGraph(settings(past_blocks=2))
    before.run(5.0)
    known = sorted(before.seen.ever)[-6:-2]
    hands = Hands(mode="converse", past_blocks=2)
    for number in known:
        hands.conductor.presented(before.seen.ever[number])
        hands.conductor.clean(epoch=55, block=number, latent=LATENT)
    hands.conductor.sink(REFERENCE, replaces=False)
    hands.conductor.sink(Sink(1, LATENT[:, :1], "", 55), replaces=False)
    hands.stages_tell(epoch=55)
    hands.epoch = 55
    hands.presented(known[-1])
    effects = hands.advance()
    epoch = one(fx.BeginEpoch, effects)
    assert epoch.start.first_block == known[-1] + 1
    assert epoch.start.sink is not None and epoch.start.sink.version == 1
    assert [order.command for order in of(fx.TurnOrder, effects)] == [Command.RESUME] * 2
    hands.stages_tell(epoch=hands.epoch)
    assert one(fx.IssueBlock, hands.advance()).issued.block == known[-1] + 1


def test_one_that_finds_nothing_of_its_predecessor_waits_a_little() -> None:
    hands = Hands()
    hands.conductor.sink(REFERENCE, replaces=False)
    hands.stages_tell(epoch=55)
    assert not of(fx.BeginEpoch, hands.advance())
    hands.now += 1.1
    hands.stages_tell(epoch=55)
    assert one(fx.BeginEpoch, hands.advance()).start.first_block == 0


def test_when_it_goes_down_nobody_waits_for_it_any_more() -> None:
    hands = Hands(mode="converse")
    hands.begin()
    hands.conductor.requests.say(1, SayRequest("Hello."))
    hands.advance()
    hands.conductor.requests.say(2, SayRequest("And more."))
    effects = hands.conductor.end(hands.at)
    assert {over.request: over.success for over in of(fx.SayOver, effects)} == {1: False, 2: False}
    assert not of(fx.ReportCondition, effects), "it says no more that it conducts"
