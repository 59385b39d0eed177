"""State-Cycling: the conversation as a visitor meets it, and what holds whatever happens."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from avatar_nodes.conducting.conversation_table import TABLE, Command, EventKind, Phase, State
from avatar_nodes.conducting.state_cycling import (
    OWN_TURN,
    Decision,
    Event,
    Order,
    PhaseLimits,
    StateCycling,
    StatePrompts,
    TurnPrompts,
)

PROMPTS = StatePrompts("idles", "listens", "thinks", "talks")
LIMITS = PhaseLimits(performing_s=8.0, listening_s=6.0, thinking_s=10.0, speaking_s=5.0, held_s=2.0)
BLOCK_S = 0.48
K = EventKind


class Talk:
    """A machine and its clock; keeps what was ordered."""

    def __init__(self) -> None:
        self.machine = StateCycling(PROMPTS, LIMITS)
        self.now = 100.0
        self.orders: list[tuple[Command, int]] = []

    def tell(self, kind: EventKind, turn: int = OWN_TURN) -> None:
        self._keep(self.machine.handle(Event(kind, turn), self.now))

    def intend(self, turn: int, *prompts: str, seconds: float = 0.0) -> None:
        self._keep(self.machine.intend(turn, TurnPrompts(*prompts, seconds), self.now))

    def border(self, after_s: float = BLOCK_S) -> Decision:
        self.now += after_s
        decision = self.machine.at_block_border(self.now)
        self._keep(decision.orders)
        return decision

    def _keep(self, orders: tuple[Order, ...]) -> None:
        self.orders += [(order.command, order.turn) for order in orders]


@pytest.fixture
def talk() -> Talk:
    return Talk()


@pytest.fixture
def speaking(talk: Talk) -> Talk:
    """The reply of turn 5 is heard."""
    talk.tell(K.VISITOR_SPEAKS)
    talk.tell(K.UTTERANCE, 5)
    talk.intend(5, "waves", "smiles")
    talk.tell(K.REPLY_SOUND, 5)
    assert talk.border().plays
    return talk


def test_a_turn_from_idle_to_idle(talk: Talk) -> None:
    shown = [talk.border()]
    for kind, turn in (
        (K.VISITOR_SPEAKS, 0),
        (K.UTTERANCE, 5),
        (K.REPLY_SOUND, 5),
        (K.REPLY_ENDED, 5),
    ):
        talk.tell(kind, turn)
        if kind is K.UTTERANCE:
            talk.intend(5, "waves", "smiles")
        shown.append(talk.border())
    assert [(d.state, d.prompt, d.turn, d.plays) for d in shown] == [
        (State.IDLE, "idles", None, False),
        (State.LISTENING, "listens", None, False),
        (State.THINKING, "thinks", 5, False),
        (State.SPEAKING, "waves", 5, True),
        (State.IDLE, "smiles", None, False),
    ]
    assert [d.changed for d in shown] == [False, True, True, True, True]
    assert not talk.border().changed
    assert talk.orders == []


def test_what_is_seen_changes_at_block_borders_only(speaking: Talk) -> None:
    seen = speaking.border()
    speaking.tell(K.VISITOR_SPEAKS)
    assert seen.plays
    assert speaking.orders == [(Command.PAUSE, 5)]
    assert speaking.border().state is State.LISTENING


class TestBargeIn:
    def test_a_cough_pauses_and_resumes(self, speaking: Talk) -> None:
        speaking.tell(K.VISITOR_SPEAKS)
        held = speaking.border()
        assert (held.state, held.held, held.plays, held.turn) == (State.LISTENING, True, False, 5)
        speaking.tell(K.FALSE_INTERRUPTION)
        again = speaking.border()
        assert (again.state, again.prompt, again.plays) == (State.SPEAKING, "waves", True)
        assert speaking.orders == [(Command.PAUSE, 5), (Command.RESUME, 5)]

    def test_words_cancel(self, speaking: Talk) -> None:
        speaking.tell(K.VISITOR_SPEAKS)
        speaking.tell(K.BARGE_IN, 6)
        speaking.tell(K.REPLY_SOUND, 5)
        listening = speaking.border()
        assert (listening.state, listening.turn) == (State.LISTENING, None)
        speaking.tell(K.UTTERANCE, 6)
        assert speaking.border().turn == 6
        assert speaking.orders == [(Command.PAUSE, 5), (Command.CANCEL, 5)]

    def test_words_of_the_turn_itself_are_no_interruption(self, speaking: Talk) -> None:
        """The recogniser's interim text may come after its final one."""
        speaking.tell(K.BARGE_IN, 5)
        assert speaking.border().plays
        assert speaking.orders == []

    def test_a_reply_that_is_said_but_not_heard_out_is_held_too(self, speaking: Talk) -> None:
        speaking.now += BLOCK_S
        said = speaking.machine.at_block_border(speaking.now, said=True)
        assert (said.state, said.prompt, said.turn, said.plays) == (
            State.IDLE, "smiles", None, False,
        )  # fmt: skip
        speaking.tell(K.VISITOR_SPEAKS)
        assert speaking.machine.at_block_border(speaking.now, said=True).held
        speaking.tell(K.FALSE_INTERRUPTION)
        assert speaking.border().plays
        assert speaking.orders == [(Command.PAUSE, 5), (Command.RESUME, 5)]
        speaking.tell(K.REPLY_ENDED, 5)
        assert speaking.border().state is State.IDLE

    def test_before_the_first_sound(self, talk: Talk) -> None:
        talk.tell(K.UTTERANCE, 5)
        talk.tell(K.VISITOR_SPEAKS)
        talk.tell(K.REPLY_SOUND, 5)
        assert talk.border().held
        talk.tell(K.VISITOR_SILENT)
        assert talk.border().plays
        assert talk.orders == [(Command.PAUSE, 5), (Command.RESUME, 5)]

    def test_noise_without_end_does_not_hold_a_reply_for_ever(self, speaking: Talk) -> None:
        speaking.tell(K.VISITOR_SPEAKS)
        for _ in range(4):
            assert speaking.border().held
            speaking.tell(K.VISITOR_GOES_ON)
        assert speaking.border().plays

    def test_a_reply_that_ends_while_held(self, speaking: Talk) -> None:
        speaking.tell(K.VISITOR_SPEAKS)
        speaking.tell(K.REPLY_ENDED, 5)
        speaking.tell(K.FALSE_INTERRUPTION)
        assert speaking.border().prompt == "smiles"
        assert speaking.orders == [(Command.PAUSE, 5)]

    def test_a_cancelled_gesture_is_not_taken_up_again(self, speaking: Talk) -> None:
        speaking.intend(5, "points", "smiles", seconds=60.0)
        speaking.tell(K.VISITOR_SPEAKS)
        speaking.tell(K.BARGE_IN, 6)
        speaking.tell(K.VISITOR_SILENT)
        assert speaking.border().prompt == "idles"


class TestGesture:
    def test_ends_before_a_long_reply(self, talk: Talk) -> None:
        talk.intend(5, "waves", "smiles", seconds=1.0)
        talk.tell(K.REPLY_SOUND, 5)
        assert [talk.border().prompt for _ in range(4)] == ["waves", "waves", "talks", "talks"]

    def test_outlasts_a_short_reply(self, talk: Talk) -> None:
        talk.intend(5, "waves", "smiles", seconds=1.0)
        talk.tell(K.REPLY_SOUND, 5)
        talk.tell(K.REPLY_ENDED, 5)
        shown = [talk.border() for _ in range(3)]
        assert [d.prompt for d in shown] == ["waves", "waves", "smiles"]
        assert {d.state for d in shown} == {State.IDLE}

    def test_a_second_intent_changes_what_follows(self, speaking: Talk) -> None:
        speaking.intend(5, "waves", "leans")
        assert speaking.border().prompt == "waves"
        speaking.tell(K.REPLY_ENDED, 5)
        assert speaking.border().prompt == "leans"

    def test_without_an_intent_it_talks(self, talk: Talk) -> None:
        talk.tell(K.REPLY_SOUND, 5)
        assert talk.border().prompt == "talks"


class TestComingPrompt:
    def test_is_known_before_the_block_that_brings_it(self, talk: Talk) -> None:
        def coming() -> str | None:
            return talk.machine.coming_prompt(talk.now)

        assert coming() == "idles"
        talk.tell(K.VISITOR_SPEAKS)
        assert coming() == "listens" == talk.border().prompt
        talk.tell(K.UTTERANCE, 5)
        assert coming() is None, "nobody knows the reply"
        talk.intend(5, "waves", "smiles")
        assert coming() == "waves", "before its sound"
        talk.tell(K.REPLY_SOUND, 5)
        assert coming() == "waves" == talk.border().prompt
        assert talk.machine.coming_prompt(talk.now, said=True) == "smiles", "its last sound is out"
        talk.tell(K.VISITOR_SPEAKS)
        assert coming() == "listens" == talk.border().prompt

    def test_of_the_time_when_the_block_is_due(self, talk: Talk) -> None:
        talk.intend(5, "waves", "smiles", seconds=1.0)
        talk.tell(K.REPLY_SOUND, 5)
        coming = [talk.machine.coming_prompt(talk.now + later) for later in (0.0, 0.9, 1.1)]
        assert coming == ["waves", "waves", "talks"]

    def test_of_a_reply_without_an_action(self, talk: Talk) -> None:
        talk.tell(K.UTTERANCE, 5)
        talk.intend(5)
        assert talk.machine.coming_prompt(talk.now) == "talks"
        talk.tell(K.UTTERANCE, 6)
        assert talk.machine.coming_prompt(talk.now) is None, "the intent was of another turn"


class TestOnItsOwn:
    def test_says_what_the_operator_wants(self, talk: Talk) -> None:
        talk.tell(K.SAY)
        talk.intend(OWN_TURN, "nods", "")
        talk.tell(K.REPLY_SOUND, OWN_TURN)
        said = talk.border()
        assert (said.turn, said.plays, said.prompt) == (OWN_TURN, True, "nods")
        talk.tell(K.UTTERANCE, 5)
        assert talk.orders == [(Command.CANCEL, OWN_TURN)]

    def test_performs_until_told_or_until_a_visitor_comes(self, talk: Talk) -> None:
        assert talk.machine.perform(TurnPrompts("points", "smiles"), talk.now)
        performed = talk.border()
        assert (performed.state, performed.prompt) == (State.IDLE, "points")
        talk.tell(K.PERFORMED)
        assert talk.border().prompt == "smiles"
        assert talk.machine.perform(TurnPrompts("points"), talk.now)
        talk.tell(K.VISITOR_SPEAKS)
        assert talk.border().prompt == "listens"
        assert not talk.machine.perform(TurnPrompts("points"), talk.now)

    def test_reset(self, speaking: Talk) -> None:
        speaking.tell(K.RESET)
        assert speaking.border().prompt == "idles"
        speaking.tell(K.REPLY_SOUND, 5)
        assert not speaking.border().plays
        assert speaking.orders == [(Command.CANCEL, 5)]


class TestLateAndEarly:
    def test_the_reply_is_known_before_its_utterance(self, talk: Talk) -> None:
        talk.tell(K.VISITOR_SPEAKS)
        talk.intend(5, "waves", "smiles")
        talk.tell(K.REPLY_SOUND, 5)
        talk.tell(K.UTTERANCE, 5)
        assert talk.border().plays

    @pytest.mark.parametrize("kind", [K.REPLY_SOUND, K.REPLY_ENDED, K.NO_REPLY, K.FAILED])
    def test_an_old_reply_changes_nothing(self, speaking: Talk, kind: EventKind) -> None:
        speaking.tell(kind, 4)
        assert speaking.border().plays

    def test_after_a_time_out_the_reply_comes_too_late(self, talk: Talk) -> None:
        talk.tell(K.UTTERANCE, 5)
        assert talk.border(10.5).state is State.IDLE
        assert talk.orders == [(Command.CANCEL, 5)]
        talk.tell(K.REPLY_SOUND, 5)
        assert talk.border().state is State.IDLE

    def test_a_phase_that_is_ended_for_its_length_says_so_once(self, talk: Talk) -> None:
        talk.tell(K.VISITOR_SPEAKS)
        said = [talk.border(seconds).overdue for seconds in (4.0, 30.0, 1.0)]
        assert said[0] == said[2] == "" and said[1].startswith("listening for more than ")

    @pytest.mark.parametrize("kind", [K.NO_REPLY, K.FAILED])
    def test_no_reply(self, talk: Talk, kind: EventKind) -> None:
        talk.tell(K.UTTERANCE, 5)
        talk.tell(kind, 5)
        assert talk.border().state is State.IDLE


def test_the_table_is_total() -> None:
    assert set(TABLE) == {(phase, kind) for phase in Phase for kind in EventKind}
    for (phase, _), step in TABLE.items():
        assert step.command is None or phase.has_reply
        if step.phase.held and not phase.held:
            assert step.command is Command.PAUSE
        if phase.held and step.phase in (Phase.THINKING, Phase.SPEAKING):
            assert step.command in (Command.RESUME, Command.CANCEL)


def test_enough_quiet_leads_home_from_everywhere() -> None:
    for phase in Phase:
        for _ in range(3):
            phase = TABLE[phase, EventKind.TIMED_OUT].phase
        assert phase is Phase.IDLE
        assert TABLE[phase, EventKind.RESET].phase is Phase.IDLE


@dataclass(frozen=True)
class Deed:
    """Something that is done to the machine."""

    kind: EventKind | None
    """None: an intent."""
    turn: int
    seconds: float
    border: bool


DEEDS = st.lists(
    st.builds(
        Deed,
        kind=st.sampled_from([None, *EventKind]),
        turn=st.integers(0, 6),
        seconds=st.sampled_from([0.0, 0.02, 0.4, 3.0]),
        border=st.booleans(),
    ),
    max_size=60,
)


class Watched(Talk):
    """Checks after every deed what must hold always."""

    def __init__(self) -> None:
        super().__init__()
        self.newest_utterance = 0
        self.newest_played = 0
        self.held: int | None = None

    def do(self, deed: Deed) -> None:
        self.now += deed.seconds
        before = len(self.orders)
        turn_before = self.machine.turn
        if deed.kind is None:
            self.intend(deed.turn, f"acts {deed.turn}", f"rests {deed.turn}", seconds=1.0)
        else:
            self.tell(deed.kind, deed.turn)
        if deed.kind is K.UTTERANCE:
            self.newest_utterance = max(self.newest_utterance, deed.turn)
        self._check_orders(before, {turn_before, deed.turn})
        if deed.border:
            self.check_border()

    def check_border(self) -> Decision:
        before = len(self.orders)
        turn_before = self.machine.turn
        decision = self.border(0.0)
        self._check_orders(before, {turn_before})
        assert decision.state in State
        assert decision.plays == (decision.state is State.SPEAKING)
        assert not decision.held or decision.state is State.LISTENING
        assert (decision.turn is not None) == (
            decision.held or decision.state in (State.THINKING, State.SPEAKING)
        )
        if decision.plays and decision.turn:
            assert decision.turn >= self.newest_utterance, "an old reply after a newer turn"
            assert decision.turn >= self.newest_played
            self.newest_played = decision.turn
        if decision.state is State.LISTENING:
            assert decision.prompt == "listens"
        if decision.prompt.startswith("acts"):
            assert decision.turn in (None, int(decision.prompt.split()[1]))
        return decision

    def _check_orders(self, first: int, turns: set[int | None]) -> None:
        """Only a turn at hand is commanded; it resumes only after a pause."""
        for command, turn in self.orders[first:]:
            assert turn in turns
            if command is Command.RESUME:
                assert self.held == turn
            self.held = turn if command is Command.PAUSE else None
        if self.machine.turn != self.held:
            self.held = None  # that reply is over; turn 0 may come again, and is another then
        assert self.machine.phase.held == (self.held is not None)


@settings(max_examples=400, deadline=None)
@given(DEEDS)
def test_whatever_happens_the_state_is_legal(deeds: list[Deed]) -> None:
    talk = Watched()
    for deed in deeds:
        talk.do(deed)


@settings(max_examples=200, deadline=None)
@example([Deed(None, 1, 0.0, False), Deed(K.REPLY_ENDED, 1, 0.0, False)])
@example([Deed(kind, 0, 0.0, False) for kind in (K.SAY, K.VISITOR_SPEAKS, K.REPLY_ENDED, K.SAY)])
@given(DEEDS)
def test_after_whatever_happened_quiet_or_a_reset_leads_to_idle(deeds: list[Deed]) -> None:
    quiet, reset = Watched(), Watched()
    for deed in deeds:
        quiet.do(deed)
        reset.do(deed)
    reset.tell(K.RESET)
    assert reset.check_border().prompt == PROMPTS.idle
    for _ in range(3):
        quiet.now += 10.1
        decision = quiet.check_border()
    assert (decision.state, decision.turn) == (State.IDLE, None)


@settings(max_examples=200, deadline=None)
@given(DEEDS)
def test_after_whatever_happened_the_next_turn_is_answered(deeds: list[Deed]) -> None:
    talk = Watched()
    for deed in deeds:
        talk.do(deed)
    talk.do(Deed(K.UTTERANCE, 7, 0.0, True))
    assert talk.machine.phase is Phase.THINKING
    talk.do(Deed(K.REPLY_SOUND, 7, 0.0, False))
    decision = talk.check_border()
    assert (decision.turn, decision.plays) == (7, True)
