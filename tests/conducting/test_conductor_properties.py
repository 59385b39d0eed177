"""What a conductor promises, whatever stages, voices, visitors and operators do.

`SimulatedGraph` checks at every effect that no block is issued twice, left out, or before all
stages are ready in its epoch, that credits stay within their bounds, that a block issued again is
the one that was decided, that requests end once, and that every step of the conversation is one of
its table. Here is who acts, and what holds in the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule
from support.settings import settings_of
from support.simulated_graph import BLOCK_S, BLOCK_SAMPLES, STAGES, SimulatedGraph, sound

from avatar_nodes.conducting.operator_requests import SayRequest, SaySound
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.conducting.state_cycling import TurnPrompts

BOUNDED = settings(
    deadline=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)  # fmt: skip
TURNS_FROM = 1_790_000_000_000
QUICK: dict[str, Any] = {
    "mode": "converse", "stages": list(STAGES), "words_timeout_s": 0.5, "held_timeout_s": 1.0,
    "listening_timeout_s": 2.0, "thinking_timeout_s": 3.0, "speaking_timeout_s": 2.0,
    "block_timeout_s": 1.5, "heartbeat_timeout_s": 1.2, "margin_s": 0.3,
}  # fmt: skip

stages = st.sampled_from(STAGES)
short = st.floats(0.05, 3.0)
texts = st.lists(st.sampled_from(["Hello there", "Yes", " ", "A long sentence it is"]), max_size=3)


def quick(**changes: Any) -> ConductorSettings:
    """Settings of a conductor that does not wait long."""
    return settings_of(ConductorSettings, **{**QUICK, **changes})


class Talk(RuleBasedStateMachine):
    """A conversation in which anything happens at any time."""

    turns = Bundle("turns")

    @initialize(
        barge_in=st.booleans(), max_in_flight=st.integers(1, 6), memory_lag=st.sampled_from([0, 2]),
        aas_from_block=st.integers(1, 3), adaptive_sink=st.booleans(),
        first_block=st.sampled_from([0, 10_000_000]),
    )  # fmt: skip
    def meet(self, **changes: Any) -> None:
        self.graph = SimulatedGraph(quick(**changes))
        self.turn, self.requests = TURNS_FROM, 0
        self.graph.run(1.0)

    @rule(seconds=short)
    def time_goes_on(self, seconds: float) -> None:
        self.graph.run(seconds)

    @rule(stage=stages, seconds=short)
    def a_stage_is_restarted(self, stage: str, seconds: float) -> None:
        self.graph.restart(stage, seconds)

    @rule(stage=stages, seconds=short)
    def a_stage_hangs(self, stage: str, seconds: float) -> None:
        self.graph.hang(stage, seconds)

    @rule(stage=stages)
    def a_stage_fails(self, stage: str) -> None:
        self.graph.fail(stage)

    @rule()
    def blocks_are_lost(self) -> None:
        self.graph.lose_blocks()

    @rule()
    def the_voice_is_restarted(self) -> None:
        self.graph.restart_voice()

    @rule()
    def the_reasoner_is_restarted(self) -> None:
        self.graph.reasoner_instance += 1

    @rule()
    def another_person_is_shown(self) -> None:
        self.graph.another_person()

    @rule(active=st.booleans())
    def the_visitor_makes_a_sound(self, active: bool) -> None:
        at = self.graph.at
        self.graph.call("conversation.speech_activity", at, active=active, stamp_ns=at.wall_ns)

    @rule(target=turns, text=st.sampled_from(["what is that", " "]), is_final=st.booleans())
    def the_visitor_speaks(self, text: str, is_final: bool) -> int:
        self.turn += 1
        at = self.graph.at
        self.graph.call(
            "conversation.utterance", at, turn=self.turn, text=text, is_final=is_final,
            end_ns=at.wall_ns,
        )  # fmt: skip
        return self.turn

    @rule(turn=turns, action=st.sampled_from(["", "waves"]), seconds=st.sampled_from([0.0, 1.0]))
    def the_reasoner_intends(self, turn: int, action: str, seconds: float) -> None:
        self.graph.call(
            "conversation.intent", self.graph.at, turn, TurnPrompts(action, "", seconds)
        )

    @rule(turn=turns, sentences=texts)
    def the_reasoner_answers(self, turn: int, sentences: list[str]) -> None:
        self.graph.answers(turn, sentences)

    @rule(turn=turns)
    def the_reasoner_gives_up(self, turn: int) -> None:
        self.graph.call("conversation.reply_cancelled", self.graph.at, turn)

    @rule(text=st.sampled_from(["Hello. And more of it", "?", ""]), interrupt=st.booleans())
    def an_operator_lets_it_speak(self, text: str, interrupt: bool) -> None:
        self.requests += 1
        self.graph.call("requests.say", self.requests, SayRequest(text, interrupt=interrupt))

    @rule(samples=st.integers(0, 32_000), rate=st.sampled_from([8_000, 12_800]))
    def an_operator_hands_over_a_sound(self, samples: int, rate: int) -> None:
        self.requests += 1
        spoken = SaySound(
            f"turn-0-{self.requests:x}",
            np.ones(2 * samples, np.int16),
            sample_rate=rate,
            channels=2,
        )
        self.graph.call("requests.say", self.requests, SayRequest("", sound=spoken))

    @rule(prompt=st.sampled_from(["waves", " "]), seconds=st.floats(width=32, max_value=4.0))
    def an_operator_lets_it_act(self, prompt: str, seconds: float) -> None:
        self.requests += 1
        self.graph.call("requests.perform", self.graph.at, self.requests, prompt, seconds)

    @rule(back=st.integers(0, 3))
    def an_operator_cancels(self, back: int) -> None:
        self.graph.call("requests.cancel", self.requests - back)

    @rule(reset=st.booleans())
    def an_operator_stops_it(self, reset: bool) -> None:
        self.graph.call("requests.reset" if reset else "requests.interrupt", self.graph.at)

    @rule(text=st.sampled_from(["smiles", ""]), cache_switch=st.booleans())
    def an_operator_sets_the_prompt(self, text: str, cache_switch: bool) -> None:
        self.graph.call("set_prompt", text, cache_switch=cache_switch)

    @rule(first=st.integers(0, 300), count=st.integers(0, 300), end=st.booleans())
    def strange_sound_comes(self, first: int, count: int, end: bool) -> None:
        self.graph.call(
            "sound", self.graph.at, stream=self.graph.voice.stream or "strange", first_sample=first,
            samples=np.ones(count, np.int16), end_of_stream=end,
        )  # fmt: skip

    def teardown(self) -> None:
        graph, talk = self.graph, self.graph.conductor.conversation
        for _ in range(80):
            graph.run(5.0)
            if not talk.busy and not talk.performing and len(graph.seen.over) == self.requests:
                break
        assert not talk.busy and not talk.replying, "every turn ends"
        assert not talk.performing
        assert set(graph.seen.over) == set(range(1, self.requests + 1)), "every request ends"
        before = len(graph.seen.blocks)
        for _ in range(30):
            graph.run(5.0)
            if len(graph.seen.blocks) > before + 5:
                break
        assert len(graph.seen.blocks) > before + 5, "blocks go on"
        assert graph.replay() == graph.told, "the same calls, the same effects"


TestTalk = Talk.TestCase
TestTalk.settings = settings(BOUNDED, max_examples=100, stateful_step_count=30)

accidents = st.lists(
    st.tuples(st.floats(0.0, 2.0), stages, st.sampled_from(["restart", "hang", "lose"]), short),
    max_size=6,
)


@given(
    samples=st.integers(1, 20 * BLOCK_SAMPLES), accidents=accidents, max_in_flight=st.integers(1, 4)
)
@settings(BOUNDED, max_examples=60)
def test_a_rendering_ends_with_its_sound_whatever_happens(
    samples: int, accidents: list[tuple[float, str, str, float]], max_in_flight: int
) -> None:
    rendering = quick(mode="render", pace="free", max_in_flight=max_in_flight)
    graph = SimulatedGraph(rendering, source_samples=samples)
    for wait_s, stage, accident, seconds in accidents:
        graph.run(wait_s)
        if accident == "lose":
            graph.lose_blocks()
        else:
            {"restart": graph.restart, "hang": graph.hang}[accident](stage, seconds)
    for _ in range(100):
        graph.run(5.0)
        if graph.seen.states[-1].state.name == "FINISHED":
            break
    last = graph.seen.states[-1]
    assert last.state.name == "FINISHED" and last.block == last.total_blocks - 1
    blocks = graph.seen.ever
    assert sorted(blocks) == list(range(-(-samples // BLOCK_SAMPLES)))
    said = np.concatenate([blocks[number].samples for number in sorted(blocks)])
    assert np.array_equal(said, sound(0, samples)), "every sample once and in order"
    assert graph.replay() == graph.told


@given(accidents=accidents)
@settings(BOUNDED, max_examples=30)
def test_in_real_time_a_puppet_goes_on_in_silence(
    accidents: list[tuple[float, str, str, float]],
) -> None:
    graph = SimulatedGraph(quick(mode="puppet"))
    for wait_s, stage, _, seconds in accidents:
        graph.run(wait_s)
        graph.restart(stage, seconds)
    graph.run(15.0)
    before = len(graph.seen.blocks)
    graph.run(20 * BLOCK_S)
    assert 19 <= len(graph.seen.blocks) - before <= 21
