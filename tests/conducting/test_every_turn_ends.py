"""Whatever a visitor or an operator says, and whatever a chat model answers: the turn ends."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.settings import settings_of
from support.waiting import wait_until

from avatar_nodes.conducting.conversation import Conversation
from avatar_nodes.conducting.effects import Effect, Moment, SpeakSentence
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.conducting.state_cycling import OWN_TURN, TurnPrompts
from avatar_nodes.mind.chat_contract import Message
from avatar_nodes.mind.chat_reasoner import ChatReasoner
from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Intention
from avatar_nodes.mind.reply import Segment
from avatar_nodes.mind.reply_runner import ReplyRunner
from avatar_nodes.mind.sentences import split_sentences
from avatar_nodes.mind.text_stream import Patience, TextStream
from avatar_nodes.speaking.speaker import Speaker
from avatar_nodes.speaking.speech_stream import SpeechStream
from avatar_nodes.speaking.synthesis.synthesiser import Emit, Synthesiser
from avatar_nodes.text.words import has_words

_WALL_NS = 1_790_000_000_000_000_000
_DEEP = ['{"a":' * 2000, "[" * 5000]


class Beep(Synthesiser):
    """A hundredth of a second for each text."""

    name, language = "beep", "en"

    def speak(self, text: str, language: str, stream: SpeechStream, emit: Emit) -> None:
        emit(np.full(160, 1000, np.int16), 16_000)


class Model:
    """Answers with the pieces that it was given."""

    pieces: Sequence[str] = ()

    def stream(self, messages: Sequence[Message]) -> TextStream:
        json.dumps(messages, ensure_ascii=False).encode()  # as it goes to a server
        text = TextStream()
        for piece in self.pieces:
            text.put(piece)
        text.end()
        return text

    def close(self) -> None:
        pass


class Whole:
    """Reasoner, conductor's conversation and voice, as the graph joins them."""

    def __init__(self) -> None:
        limits = ("words", "held", "listening", "thinking", "speaking")
        values = {f"{limit}_timeout_s": 60.0 for limit in limits}
        self._effects: list[Effect] = []
        self.conversation = Conversation(
            settings_of(ConductorSettings, **values),
            obey=lambda command: 0,
            on_over=lambda *over: None,
            emit=self._effects.append,
        )
        self._given: queue.SimpleQueue[Segment | tuple[int, Intention]] = queue.SimpleQueue()
        self.model = Model()
        book = Phrasebook(load_persona("default"), seed=0)
        reasoner = ChatReasoner(self.model, book, Patience())
        self._runner = ReplyRunner(reasoner, book, self, self)
        self._speaker = Speaker(Beep(sample_rate=16_000))
        self._turn = 0

    def close(self) -> None:
        self._runner.close()
        self._speaker.close()

    # What the reasoner's node is for its runner.

    def intend(self, turn: int, intention: Intention) -> None:
        self._given.put((turn, intention))

    def speak(self, segment: Segment) -> None:
        self._given.put(segment)

    def complain(self, turn: int, problem: str, detail: str) -> None:
        assert problem != "internal", detail

    def sample(self, name: str, value: float) -> None: ...

    def count(self, name: str, amount: int = 1) -> None: ...

    def gauge(self, name: str, value: float) -> None: ...

    @property
    def _at(self) -> Moment:
        return Moment(time.monotonic(), _WALL_NS)

    def visitor(self, text: str) -> None:
        """A turn, to its end."""
        self._turn += 1
        self.conversation.utterance(self._at, turn=self._turn, text=text, is_final=True, end_ns=0)
        self._runner.hear(self._turn, text)
        last = False
        while not last:
            given = self._given.get(timeout=60.0)
            if isinstance(given, Segment):
                self._take(given)
                last = given.is_last
            else:
                turn, intention = given
                prompts = TurnPrompts(intention.action_prompt, intention.stable_prompt)
                self.conversation.intent(self._at, turn, prompts)
        self._hear(self._turn)

    def operator(self, text: str, language: str) -> None:
        """What an operator lets it say, to its end."""
        self._effects.clear()
        now = time.monotonic()
        self.conversation.say(now, split_sentences(text, language or "en"), language)
        for sentence in self._effects:
            assert isinstance(sentence, SpeakSentence)
            self._speaker.say(
                OWN_TURN, sentence.index, sentence.text,
                language=sentence.language, is_last=sentence.is_last,
            )  # fmt: skip
        self._hear(OWN_TURN)

    def _take(self, segment: Segment) -> None:
        segment.text.encode()
        sentence = SpeakSentence(
            segment.turn, segment.index, segment.text, "en", is_last=segment.is_last
        )
        self.conversation.reply(self._at, sentence)
        self._speaker.say(segment.turn, segment.index, segment.text, is_last=segment.is_last)

    def _hear(self, turn: int) -> None:
        ended = False

        def over() -> bool:
            nonlocal ended
            self._speaker.demand("", 0, 1 << 30)
            for run in self._speaker.poll():
                if run.turn == turn:
                    self.conversation.takes(
                        self._at, run.stream, run.run.first_sample, len(run.run.samples),
                        end_of_stream=run.run.end_of_stream,
                    )  # fmt: skip
                    ended |= run.run.end_of_stream
            return ended

        wait_until(over, what=f"the end of turn {turn}'s speech")
        self.conversation.issued(1)
        self.conversation.shown(2, time.monotonic())
        assert not self.conversation.busy


@pytest.fixture(scope="module")
def whole() -> Iterator[Whole]:
    whole = Whole()
    yield whole
    whole.close()


ANY = st.text(st.characters(), max_size=40)
ANSWER = st.lists(ANY | st.sampled_from(['{"reply": "', '"}', "<think>", "</think>"]), max_size=6)


@given(ANY, ANSWER)
@example("👍🏽", [])
@example("hello", _DEEP)
@example("hello", ['{"reply": "\ud83d', '\ude00 a."}'])
@example("hello", ['{"reply": "👍🏽", "action_prompt": "nod", "stable_prompt": "nod"}'])
@example("hello", ['{"reply": "<b>(*)</b> 1."}'])
@example("!" * 5000 + "a", ["a" * 3000])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_visitor_s_turn_ends(whole: Whole, text: str, answer: list[str]) -> None:
    whole.model.pieces = answer
    whole.visitor(text)


@given(ANY.filter(has_words), st.text(max_size=5))
@example("!" * 5000 + "a", "")
@example("*a*", "x" * 500)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_an_operator_says_ends(whole: Whole, text: str, language: str) -> None:
    whole.operator(text, language)
