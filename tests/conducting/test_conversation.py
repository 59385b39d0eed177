"""What comes of a visitor's and a reply's events: orders, sentences, what is shown."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.settings import settings_of

from avatar_nodes.conducting.conversation import Conversation
from avatar_nodes.conducting.conversation_table import Command, EventKind, State
from avatar_nodes.conducting.effects import Effect, Moment, SpeakSentence, TurnOrder
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.conducting.state_cycling import OWN_TURN
from avatar_nodes.conducting.turn_numbers import check_turn
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.speaking.turn_stream import new_stream
from avatar_nodes.text.words import clean_text, has_words

NOW_MS = 1_790_000_000_000
HOUR_MS = 3_600_000


class Talk:
    """A conversation, and who speaks in it, at seconds of a clock of the test's."""

    def __init__(self, **settings: object) -> None:
        limits = ("words", "held", "listening", "thinking", "speaking")
        patient = {f"{limit}_timeout_s": 60.0 for limit in limits}
        values = {**patient, **settings}
        self.obeyed: list[Command] = []
        self.told: list[Effect] = []
        self.over: list[tuple[int, bool, str]] = []
        self.now = 100.0
        self.conversation = Conversation(
            settings_of(ConductorSettings, **values),
            obey=self._obey, on_over=lambda *over: self.over.append(over), emit=self.told.append,
        )  # fmt: skip

    @property
    def at(self) -> Moment:
        return Moment(self.now, NOW_MS * 1_000_000)

    @property
    def orders(self) -> list[Command]:
        return [effect.command for effect in self.told if isinstance(effect, TurnOrder)]

    @property
    def sentences(self) -> list[str]:
        return [effect.text for effect in self.told if isinstance(effect, SpeakSentence)]

    @property
    def shown(self) -> State:
        return self.conversation.at_block_border(self.now).state

    def speaks(self, active: bool, at_s: float | None = None) -> None:
        stamp_ns = round((self.now if at_s is None else at_s) * 1e9)
        self.conversation.speech_activity(self.at, active=active, stamp_ns=stamp_ns)

    def words(self, turn: int, text: str, *, end_s: float, is_final: bool = True) -> None:
        self.conversation.utterance(
            self.at, turn=turn, text=text, is_final=is_final, end_ns=round(end_s * 1e9)
        )

    def answers(self, turn: int) -> bool:
        """Sound of the reply to `turn` comes; returns whether it is wanted."""
        return self.conversation.takes(self.at, new_stream(turn), 0, 640, end_of_stream=False)

    def _obey(self, command: Command) -> int:
        self.obeyed.append(command)
        return 7 if command is not Command.RESUME else 0


def test_noise_before_he_speaks_again_does_not_let_a_held_reply_go_on() -> None:
    talk = Talk()
    talk.words(5, "what can you do", end_s=2.0)
    assert talk.answers(5)
    talk.speaks(True, 10.0)
    talk.speaks(False, 11.0)
    talk.speaks(True, 12.0)
    talk.words(6, "", end_s=11.0)
    assert talk.orders == [Command.PAUSE]
    assert talk.shown is State.LISTENING
    talk.speaks(False, 13.0)
    talk.words(7, "", end_s=13.0)
    assert talk.orders == [Command.PAUSE, Command.RESUME]


@pytest.mark.parametrize("barge_in", [True, False])
def test_noise_before_he_speaks_again_does_not_end_listening(barge_in: bool) -> None:
    talk = Talk(barge_in=barge_in)
    talk.speaks(True, 10.0)
    talk.speaks(False, 11.0)
    talk.speaks(True, 12.0)
    talk.words(6, "", end_s=11.0)
    assert talk.shown is State.LISTENING
    talk.speaks(False, 13.0)
    talk.words(7, "", end_s=13.0)
    assert talk.shown is State.IDLE


def test_a_reply_lasts_until_its_last_sound_was_heard() -> None:
    """Which is later than the blocks behind it are issued."""
    talk = Talk()
    talk.words(5, "what can you do", end_s=2.0)
    assert talk.answers(5)
    assert talk.shown is State.SPEAKING
    talk.conversation.issued(7)
    talk.conversation.shown(7, talk.now)
    assert talk.shown is State.IDLE
    assert talk.conversation.replying
    talk.conversation.shown(8, talk.now)
    assert not talk.conversation.replying
    assert talk.orders == []


def test_a_reply_of_which_sound_is_issued_has_not_broken_off() -> None:
    talk = Talk(speaking_timeout_s=1.0)
    talk.conversation.say(talk.now, (), "")
    talk.conversation.tell(EventKind.REPLY_SOUND, talk.now)
    for _ in range(6):
        talk.now += 0.5
        assert talk.shown is State.SPEAKING
        talk.conversation.sounds(talk.now)
    assert talk.orders == []
    talk.now += 1.1
    assert talk.shown is State.IDLE
    assert talk.orders == [Command.CANCEL]


def test_a_clock_that_is_set_back_by_hours_leaves_turns_valid() -> None:
    """Also those that a conductor which was restarted since does not know."""
    talk = Talk()
    before = NOW_MS + 5 * HOUR_MS
    talk.words(before, "what can you do", end_s=2.0)
    assert talk.answers(before)
    assert talk.shown is State.SPEAKING


def test_a_turn_far_ahead_of_the_clock_is_refused() -> None:
    talk = Talk()
    turn = NOW_MS + 2 * 366 * 24 * HOUR_MS
    with pytest.raises(RefusedError, match="far ahead"):
        talk.words(turn, "what can you do", end_s=2.0)
    with pytest.raises(RefusedError, match="far ahead"):
        talk.answers(turn)
    assert talk.shown is State.IDLE


def test_another_voice_is_given_the_sentences_of_the_reply_again() -> None:
    talk = Talk()
    talk.conversation.alive(talk.at, "voice", "first")
    talk.conversation.say(talk.now, ["One.", "Two."], "en")
    assert talk.sentences == ["One.", "Two."]
    assert talk.answers(OWN_TURN)
    for _ in range(2):
        talk.conversation.alive(talk.at, "voice", "second")
    assert talk.sentences == ["One.", "Two."] * 3, "until sound comes of it"
    assert talk.answers(OWN_TURN)
    talk.conversation.alive(talk.at, "voice", "second")
    assert talk.sentences == ["One.", "Two."] * 3
    assert talk.obeyed == [Command.CANCEL] and talk.orders == [], "the sound that waits is dropped"


def test_a_sentence_that_comes_back_is_not_kept_twice() -> None:
    talk = Talk()
    talk.conversation.alive(talk.at, "voice", "first")
    talk.conversation.say(talk.now, ["One.", "Two."], "en")
    for sentence in [e for e in talk.told if isinstance(e, SpeakSentence)]:
        talk.conversation.reply(talk.at, sentence)
    talk.conversation.alive(talk.at, "voice", "second")
    assert talk.sentences == ["One.", "Two."] * 2


def test_another_reasoner_has_lost_what_it_thought_about() -> None:
    talk = Talk()
    talk.conversation.alive(talk.at, "reasoner", "first")
    talk.words(5, "what can you do", end_s=2.0)
    assert talk.shown is State.THINKING
    talk.conversation.alive(talk.at, "reasoner", "second")
    assert talk.shown is State.IDLE
    assert talk.over == [(5, False, "the reasoner was restarted")]


def test_a_reply_without_words_is_over() -> None:
    talk = Talk()
    talk.words(5, "what can you do", end_s=2.0)
    talk.conversation.reply(talk.at, SpeakSentence(5, 0, " ", "en", is_last=True))
    assert talk.shown is State.IDLE
    assert talk.over == [(5, False, "there was nothing to say")]


# A held reply.


def held(**settings: object) -> Talk:
    """A reply is heard, and the visitor makes a sound that has ended."""
    talk = Talk(**settings)
    talk.conversation.tell(EventKind.REPLY_SOUND, talk.now, 7)
    assert talk.conversation.sounding
    talk.speaks(True)
    talk.speaks(False)
    return talk


def test_a_recognition_that_takes_longer_than_a_silence_finds_the_reply_held() -> None:
    talk = held(words_timeout_s=0.1, held_timeout_s=1.0)
    talk.now += 0.9
    assert talk.shown is State.LISTENING
    talk.now += 0.2
    assert talk.shown is State.SPEAKING
    assert talk.orders == [Command.PAUSE, Command.RESUME]


def test_words_that_come_late_cut_the_held_reply() -> None:
    talk = held(words_timeout_s=0.1)
    talk.now += 0.3
    assert talk.shown is State.LISTENING
    talk.words(8, "what is your name", end_s=talk.now)
    assert talk.orders == [Command.PAUSE, Command.CANCEL]
    assert talk.over == [(7, False, "a new turn")]


def test_first_words_cut_it_before_the_utterance_has_ended() -> None:
    talk = held()
    talk.words(8, "what", end_s=talk.now, is_final=False)
    assert talk.orders == [Command.PAUSE, Command.CANCEL]


def test_a_sound_without_words_lets_it_go_on_at_once() -> None:
    talk = held()
    talk.words(8, "", end_s=talk.now)
    assert talk.orders == [Command.PAUSE, Command.RESUME]


def test_a_conductor_in_the_place_of_another_lets_every_reply_go_on() -> None:
    talk = Talk()
    asked_before_the_clock_was_set_back = NOW_MS + 24 * HOUR_MS
    talk.conversation.take_over(NOW_MS, "")
    told = [effect for effect in talk.told if isinstance(effect, TurnOrder)]
    assert {order.command for order in told} == {Command.RESUME}
    assert not any(order.first_block for order in told), "no block is muted"
    own, visitor_s = sorted(order.turn for order in told)
    assert own == OWN_TURN
    assert visitor_s > asked_before_the_clock_was_set_back
    check_turn(visitor_s, NOW_MS)


def test_what_another_conductor_let_the_avatar_say_goes_on_if_more_of_it_comes() -> None:
    talk, stream = Talk(), new_stream(OWN_TURN)
    talk.conversation.take_over(NOW_MS, stream)
    assert talk.shown is State.IDLE
    assert talk.conversation.takes(talk.at, stream, 7680, 640, end_of_stream=False)
    assert talk.shown is State.SPEAKING
    talk.conversation.stop(talk.now, "enough")
    talk.conversation.takes(talk.at, stream, 8320, 640, end_of_stream=False)
    assert talk.shown is State.IDLE, "what is stopped does not begin again"


@pytest.mark.parametrize(
    "last", ["", new_stream(OWN_TURN), new_stream(7)], ids=["none", "own", "turn 7"]
)
def test_another_sound_of_the_avatar_s_own_does_not(last: str) -> None:
    talk = Talk()
    talk.conversation.take_over(NOW_MS, last)
    talk.conversation.takes(talk.at, new_stream(OWN_TURN), 0, 640, end_of_stream=False)
    assert talk.shown is State.IDLE


@given(st.text(st.characters(), max_size=30))
@example("👍🏽")
@example("...")
@example("\ud83d")
@example("!" * 5000 + "a")
def test_only_words_cut_a_reply_and_nothing_else_is_waited_for(text: str) -> None:
    talk = Talk()
    talk.words(1, "Who are you?", end_s=99.0)
    assert talk.answers(1)
    assert talk.shown is State.SPEAKING
    talk.words(2, text, end_s=100.0)
    cut = has_words(clean_text(text))
    assert (Command.CANCEL in talk.orders) is cut
    assert talk.shown is (State.THINKING if cut else State.SPEAKING)


@given(st.text(st.characters(), max_size=30))
def test_a_reply_of_any_text_without_words_is_over(text: str) -> None:
    talk = Talk()
    talk.words(1, "Who are you?", end_s=99.0)
    talk.conversation.reply(talk.at, SpeakSentence(1, 0, text, "en", is_last=True))
    assert [turn for turn, *_ in talk.over] == ([] if has_words(text) else [1])
