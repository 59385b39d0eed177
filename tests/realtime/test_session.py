"""A conversation with a Realtime server, event by event, without a network."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.realtime_server import RATE, Event, audio_events, tone

from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.mind.reply import Segment
from avatar_nodes.realtime.connection import Closed, Opened
from avatar_nodes.realtime.instructions import instructions_of
from avatar_nodes.realtime.server_events import ServerEventError
from avatar_nodes.realtime.session import RealtimeSession
from avatar_nodes.realtime.settings import RealtimeSettings
from avatar_nodes.realtime.user_turns import UserTurn

CHUNK = np.zeros(640, np.int16)
HEARD = "conversation.item.input_audio_transcription"


class Avatar:
    """The session's rest: what it is told is kept."""

    def __init__(self, **settings: Any) -> None:
        self.now = 100.0
        self.sent: list[Any] = []
        self.renewed = 0
        self.activities: list[tuple[int, bool]] = []
        self.utterances: list[tuple[int, str, bool]] = []
        self.answers: list[int] = []
        self.said: list[Segment] = []
        self.complaints: list[str] = []
        numbers = itertools.count(1)
        self.session = RealtimeSession(
            RealtimeSettings(sample_rate=16_000, chunk_samples=640, **settings), self,
            instructions="You are a lamp.", language="en", number=lambda: next(numbers),
            clock=lambda: self.now,
        )  # fmt: skip
        self.speech: dict[int, np.ndarray] = {}
        self.ended: set[int] = set()

    def send(self, event: Any) -> None:
        json.dumps(event)
        self.sent.append(event)

    def renew(self) -> None:
        self.renewed += 1

    def activity(self, turn: UserTurn) -> None:
        self.activities.append((turn.turn, turn.speaking))

    def utterance(self, turn: UserTurn, *, is_final: bool) -> None:
        self.utterances.append((turn.turn, turn.text, is_final))

    def answer(self, turn: int) -> None:
        self.answers.append(turn)

    def speak(self, segment: Segment) -> None:
        self.said.append(segment)

    def complain(self, line: str) -> None:
        self.complaints.append(line)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.sent if event["type"] == kind]

    def server(self, *events: Event | str) -> None:
        for event in events:
            message = event if isinstance(event, str) else json.dumps(event)
            self.session.news(message, round(self.now * 1e9))

    def connect(self, **session: Any) -> None:
        self.session.news(Opened(), 0)
        self.server({"type": "session.created", "session": session or {"type": "realtime"}})
        self.server({"type": "session.updated"})

    def asks(self, item: str = "q", text: str | None = "who are you") -> None:
        """The visitor speaks and is silent."""
        self.server({"type": "input_audio_buffer.speech_started", "item_id": item})
        self.server({"type": "input_audio_buffer.speech_stopped", "item_id": item})
        self.server({"type": "input_audio_buffer.committed", "item_id": item})
        if text is not None:
            self.server({"type": f"{HEARD}.completed", "item_id": item, "transcript": text})

    def hears(self, turn: int, seconds: float) -> np.ndarray:
        """The answer, as it is demanded and presented for a while."""
        self.collect()
        have = len(self.speech.get(turn, ()))
        reply = self.session._outlet.reply
        assert reply is not None
        limit = have + round(seconds * 16_000)
        self.session.demand(reply.stream, have, limit)
        self.collect()
        for first in range(have, min(limit, len(self.speech[turn])), 640):
            self.session.played(self.speech[turn][first : first + 640])
        return self.speech[turn]

    def collect(self) -> None:
        for sent in self.session.poll():
            sound = self.speech.get(sent.turn, np.zeros(0, np.int16))
            self.speech[sent.turn] = np.concatenate(
                [sound[: sent.run.first_sample], sent.run.samples]
            )
            if sent.run.end_of_stream:
                self.ended.add(sent.turn)


def created(response: str, **more: Any) -> Event:
    return {"type": "response.created", "response": {"id": response, **more}}


def done(response: str, status: str = "completed") -> Event:
    return {"type": "response.done", "response": {"id": response, "status": status}}


def words(response: str, text: str) -> Event:
    kind = "response.output_audio_transcript.delta"
    return {"type": kind, "response_id": response, "delta": text}


def sound(response: str, seconds: float, **more: Any) -> list[Event]:
    return audio_events(tone(seconds), response, f"answer_{response}", **more)


@pytest.fixture
def avatar() -> Avatar:
    made = Avatar(lead_s=0.0)
    made.connect()
    return made


@pytest.mark.parametrize("spelling", ["response.audio.delta", "response.output_audio.delta"])
@pytest.mark.parametrize("bytes_each", [1, 333, 4801, 1 << 20])
def test_a_question_is_answered_by_sound(spelling: str, bytes_each: int) -> None:
    avatar = Avatar(lead_s=0.0)
    avatar.connect()
    avatar.asks()
    seconds = 0.05 if bytes_each == 1 else 1.0
    avatar.server(created("r"), words("r", "I am a lamp. It is"), words("r", " nice here."))
    avatar.server(*sound("r", seconds, spelling=spelling, bytes_each=bytes_each), done("r"))
    avatar.server({"type": "response.mood", "mood": "glad"})
    assert avatar.activities == [(1, True), (1, False)]
    assert avatar.utterances == [(1, "who are you", True)]
    assert avatar.answers == [1]
    assert [(s.index, s.text, s.is_last) for s in avatar.said] == [
        (0, "I am a lamp.", False), (1, "It is nice here.", True),
    ]  # fmt: skip
    heard = avatar.hears(1, 5.0)
    assert abs(len(heard) - seconds * 16_000) <= 2
    assert avatar.ended == {1}
    if seconds == 1.0:
        assert abs(int(np.argmax(np.abs(np.fft.rfft(heard[:16_000])))) - 300) <= 1
    assert not avatar.complaints


def test_the_microphone_s_sound_goes_out_at_24_khz(avatar: Avatar) -> None:
    for number in range(50):
        avatar.session.hear(CHUNK + 7, number * 40_000_000)
    sent = sum(
        len(event["audio"]) * 3 // 4 // 2 for event in avatar.of("input_audio_buffer.append")
    )
    assert abs(sent - 2 * RATE) < 0.05 * RATE


def test_speech_has_the_time_at_which_it_was_captured(avatar: Avatar) -> None:
    base = 95_000_000_000
    for number in range(75):
        avatar.session.hear(CHUNK, base + number * 40_000_000)
    turns: list[UserTurn] = []
    avatar.activity = turns.append  # type: ignore[method-assign]
    avatar.server({"type": "input_audio_buffer.speech_started", "audio_start_ms": 1000})
    assert turns[0].start_ns == pytest.approx(base + 1e9, abs=2e7)


@pytest.mark.parametrize("session", [{"modalities": ["audio"]}, {"type": "realtime"}])
def test_a_server_is_spoken_to_in_its_dialect(session: Event) -> None:
    avatar = Avatar()
    avatar.connect(**session)
    (told,) = avatar.of("session.update")
    described = told["session"]
    assert described["instructions"] == "You are a lamp."
    if "modalities" in session:
        assert described["input_audio_format"] == described["output_audio_format"] == "pcm16"
        assert described["turn_detection"]["interrupt_response"] is True
    else:
        sounds = described["audio"]
        assert sounds["input"]["format"] == {"type": "audio/pcm", "rate": 24_000}
        assert sounds["input"]["transcription"] == {"model": "whisper-1"}


@pytest.mark.parametrize("event_id", ["session", None])
def test_a_description_that_is_refused_is_given_in_the_other_dialect(event_id: str | None) -> None:
    avatar = Avatar()
    avatar.session.news(Opened(), 0)
    avatar.server({"type": "session.created", "session": {}})
    error = {"message": "Unknown parameter: session.type", "event_id": event_id}
    avatar.server({"type": "error", "error": error})
    first, second = avatar.of("session.update")
    assert "audio" in first["session"] and "modalities" in second["session"]
    assert not avatar.complaints
    avatar.server({"type": "error", "error": error})
    assert len(avatar.of("session.update")) == 2
    assert avatar.complaints == ["Unknown parameter: session.type"]


def test_a_server_that_does_not_greet_is_spoken_to_all_the_same() -> None:
    avatar = Avatar()
    avatar.session.news(Opened(), 0)
    avatar.session.tick()
    assert not avatar.sent
    avatar.now += 2.5
    avatar.session.tick()
    assert len(avatar.of("session.update")) == 1


def test_who_speaks_into_an_answer_cuts_it(avatar: Avatar) -> None:
    avatar.asks()
    avatar.server(created("r"), words("r", "I am a lamp. "), *sound("r", 3.0))
    avatar.hears(1, 1.0)
    avatar.server({"type": "input_audio_buffer.speech_started", "item_id": "q2"})
    assert avatar.said[-1] == Segment(1, 0, "", cancelled=True)
    (cancelled,) = avatar.of("response.cancel")
    assert cancelled["response_id"] == "r"
    (cut,) = avatar.of("conversation.item.truncate")
    assert cut["item_id"] == "answer_r"
    assert cut["audio_end_ms"] == pytest.approx(1000, abs=41)
    avatar.server(*sound("r", 1.0), words("r", "Late."), done("r", "cancelled"))
    avatar.collect()
    assert len(avatar.speech[1]) <= 17_000 and avatar.ended == {1}
    assert "Late." not in [segment.text for segment in avatar.said]
    avatar.session.cancel(1)  # as the conductor says, too
    assert len(avatar.of("conversation.item.truncate")) == 1
    error = {"code": "response_cancel_not_active", "message": "none", "event_id": "cancel"}
    avatar.server({"type": "error", "error": error})
    assert not avatar.complaints


def test_an_answer_that_was_heard_to_its_end_is_not_cut(avatar: Avatar) -> None:
    avatar.asks()
    avatar.server(created("r"), *sound("r", 1.0), done("r"))
    avatar.hears(1, 2.0)
    avatar.server({"type": "input_audio_buffer.speech_started", "item_id": "q2"})
    assert not avatar.of("conversation.item.truncate") and not avatar.of("response.cancel")
    assert not any(segment.cancelled for segment in avatar.said)


def test_without_barge_in_nobody_cuts(avatar: Avatar) -> None:
    avatar = Avatar(lead_s=0.0, barge_in=False)
    avatar.connect()
    avatar.asks()
    avatar.server(created("r"), *sound("r", 2.0))
    avatar.hears(1, 0.5)
    avatar.server({"type": "input_audio_buffer.speech_started", "item_id": "q2"})
    assert not avatar.of("response.cancel")
    avatar.server(done("r"))
    assert abs(len(avatar.hears(1, 9.0)) - 32_000) <= 2


def test_what_an_operator_stops_is_stopped(avatar: Avatar) -> None:
    avatar.asks()
    avatar.session.cancel(1)  # before the server begins
    avatar.server(created("r"), *sound("r", 1.0))
    assert [event["response_id"] for event in avatar.of("response.cancel")] == ["r"]
    avatar.collect()
    assert not avatar.speech and not avatar.answers


def test_a_held_answer_waits_and_goes_on(avatar: Avatar) -> None:
    avatar.asks()
    avatar.server(created("r"), *sound("r", 2.0), done("r"))
    avatar.hears(1, 0.5)
    avatar.session.pause(1)
    reply = avatar.session._outlet.reply
    assert reply is not None
    avatar.session.demand(reply.stream, 4_000, 64_000)
    assert not avatar.session.poll()
    avatar.session.resume(1)
    avatar.collect()
    assert abs(len(avatar.speech[1]) - 32_000) <= 2


def test_what_is_written_is_answered(avatar: Avatar) -> None:
    avatar.session.write(500, "who are you?")
    (item,) = avatar.of("conversation.item.create")
    assert item["item"]["content"] == [{"type": "input_text", "text": "who are you?"}]
    (create,) = avatar.of("response.create")
    avatar.server(created("r", metadata=create["response"]["metadata"]), *sound("r", 1.0))
    assert avatar.answers == [500]
    assert len(avatar.hears(500, 0.5)) == 8_000


def test_a_server_without_tags_answers_whom_it_can_only_mean(avatar: Avatar) -> None:
    avatar.session.write(500, "who are you?")
    avatar.server(created("r"))
    assert avatar.answers == [500]


def test_what_is_written_into_an_answer_waits_until_that_is_over(avatar: Avatar) -> None:
    avatar.asks()
    avatar.server(created("r"), *sound("r", 2.0))
    avatar.session.write(500, "wait")
    assert [event["response_id"] for event in avatar.of("response.cancel")] == ["r"]
    assert not avatar.of("response.create")
    avatar.server(done("r", "cancelled"))
    assert len(avatar.of("response.create")) == 1


def test_a_server_that_does_not_end_what_was_cancelled_is_asked_all_the_same(
    avatar: Avatar,
) -> None:
    avatar.asks()
    avatar.server(created("r"), *sound("r", 2.0))
    avatar.session.write(500, "wait")
    avatar.now += 3.0
    avatar.session.tick()
    assert len(avatar.of("response.create")) == 1
    avatar.server(*sound("r", 1.0))  # late
    assert avatar.answers == [1]


def test_what_the_avatar_is_to_say_is_said(avatar: Avatar) -> None:
    avatar.session.write(0, "Welcome to the lamp.")
    (create,) = avatar.of("response.create")
    assert create["response"]["conversation"] == "none"
    assert "Welcome to the lamp." in create["response"]["instructions"]
    metadata = create["response"]["metadata"]
    avatar.server(created("r", metadata=metadata), words("r", "Welcome."), *sound("r", 1.0))
    avatar.server(done("r"))
    assert abs(len(avatar.hears(0, 5.0)) - 16_000) <= 2
    assert not avatar.answers and not avatar.said  # the conductor has told it already


@pytest.mark.parametrize("names_it", [True, False])
def test_a_request_that_is_refused_ends_its_turn(avatar: Avatar, names_it: bool) -> None:
    avatar.session.write(500, "who are you?")
    tag = avatar.of("response.create")[0]["event_id"] if names_it else None
    error = {"code": "rate_limit", "message": "slow down", "event_id": tag}
    avatar.server({"type": "error", "error": error})
    assert avatar.said == [Segment(500, 0, "", cancelled=True)]
    assert avatar.complaints == ["rate_limit: slow down"]


@pytest.mark.parametrize("status", ["failed", "completed", "cancelled"])
def test_an_answer_without_sound_ends_its_turn(avatar: Avatar, status: str) -> None:
    avatar.asks()
    avatar.server(created("r"), done("r", status))
    assert avatar.said == [Segment(1, 0, "", cancelled=True)]
    avatar.asks("q2")
    avatar.server(created("r2"), *sound("r2", 1.0))
    assert len(avatar.hears(2, 0.5)) == 8_000


def test_a_connection_lost_within_an_answer_costs_its_rest(avatar: Avatar) -> None:
    avatar.asks()
    avatar.server(created("r"), words("r", "I am a lamp."), *sound("r", 1.0))
    avatar.session.news(Closed("it is gone"), 0)
    assert abs(len(avatar.hears(1, 5.0)) - 16_000) <= 2
    assert avatar.ended == {1}
    assert avatar.said[-1].is_last and not avatar.said[-1].cancelled
    assert "no connection: it is gone" in avatar.complaints
    avatar.sent.clear()
    avatar.connect()
    said = [(e["item"]["role"], e["item"]["content"][0]["text"])
            for e in avatar.of("conversation.item.create")]  # fmt: skip
    assert said == [("user", "who are you"), ("assistant", "I am a lamp.")]
    avatar.asks("q")  # another conversation's item
    avatar.server(created("r"), *sound("r", 1.0))
    assert avatar.answers == [1, 2]


def test_a_connection_lost_before_the_answer_ends_the_turn(avatar: Avatar) -> None:
    avatar.server({"type": "input_audio_buffer.speech_started", "item_id": "q"})
    avatar.session.news(Closed("it is gone"), 10**9)
    assert avatar.activities == [(1, True), (1, False)]
    assert avatar.utterances == [(1, "", True)]
    assert avatar.said == [Segment(1, 0, "", cancelled=True)]
    avatar.session.write(500, "hello?")
    assert avatar.said[-1] == Segment(500, 0, "", cancelled=True)


def test_every_turn_has_one_final_text(avatar: Avatar) -> None:
    avatar.server({"type": "input_audio_buffer.speech_started", "item_id": "a"})
    avatar.server({"type": f"{HEARD}.delta", "item_id": "a", "delta": "wh"})
    avatar.server({"type": f"{HEARD}.delta", "item_id": "a", "delta": "o"})
    avatar.server({"type": "input_audio_buffer.speech_started", "item_id": "b"})
    avatar.server({"type": f"{HEARD}.completed", "item_id": "a", "transcript": "too late"})
    avatar.server({"type": f"{HEARD}.failed", "item_id": "b"})
    avatar.server({"type": "input_audio_buffer.speech_stopped", "item_id": "b"})
    assert avatar.utterances == [
        (1, "wh", False), (1, "who", False), (1, "who", True), (2, "", True),
    ]  # fmt: skip


def test_a_server_that_writes_nothing_down_answers_all_the_same() -> None:
    avatar = Avatar(lead_s=0.0, transcription="")
    avatar.connect()
    avatar.asks(text=None)
    avatar.server(created("r"), *sound("r", 1.0), done("r"))
    assert avatar.utterances == [(1, "", True)]
    assert avatar.answers == [1] and not avatar.said
    assert abs(len(avatar.hears(1, 5.0)) - 16_000) <= 2


def test_who_comes_later_is_somebody_else(avatar: Avatar) -> None:
    avatar.asks()
    avatar.server(created("r"), words("r", "I am a lamp."), *sound("r", 1.0), done("r"))
    avatar.now += 119.0
    avatar.session.tick()
    assert not avatar.renewed
    avatar.now += 2.0
    avatar.session.tick()
    avatar.session.news(Closed(""), 0)
    assert avatar.renewed == 1 and not avatar.complaints
    avatar.sent.clear()
    avatar.connect()
    assert not avatar.of("conversation.item.create")


def test_the_model_is_told_who_it_is() -> None:
    persona = load_persona("default")
    told = instructions_of(persona)
    assert persona.name in told and persona.about.strip() in told
    assert persona.intents[0].examples[0] in told
    assert "{" not in told


_response = st.sampled_from(["r1", "r2", "", "r3"])
_item = st.sampled_from(["a", "b", ""])
_garbage = st.sampled_from(
    ['{"type": "response.audio.delta", "delta": "%%"}', "words", '{"type": "x"}', "[]",
     '{"type": "error", "error": {"message": "no", "event_id": "ask-1"}}',
     '{"type": "session.created"}', '{"type": "session.updated"}', '{"type": "error"}']
)  # fmt: skip
_events = st.one_of(
    _garbage.map(lambda text: [text]),
    _response.map(lambda r: [created(r)]),
    _response.map(lambda r: [done(r)]),
    _response.map(lambda r: [done(r, "failed")]),
    st.tuples(_response, st.text(max_size=20)).map(lambda rt: [words(*rt)]),
    _response.map(lambda r: sound(r, 0.1, bytes_each=999)),
    _item.map(lambda i: [{"type": "input_audio_buffer.speech_started", "item_id": i}]),
    _item.map(lambda i: [{"type": "input_audio_buffer.speech_stopped", "item_id": i}]),
    _item.map(lambda i: [{"type": "input_audio_buffer.committed", "item_id": i}]),
    st.tuples(_item, st.text(max_size=9)).map(
        lambda it: [{"type": f"{HEARD}.completed", "item_id": it[0], "transcript": it[1]}]
    ),
)
_acts = st.sampled_from(
    ["lose", "hear", "play", "demand", "write", "say", "cancel", "pause", "resume", "tick"]
)


@given(steps=st.lists(_events | _acts, max_size=40))
def test_no_order_of_events_breaks_it(steps: list[list[Event | str] | str]) -> None:
    """And in the end nobody waits: with the connection lost all turns are over."""
    avatar = Avatar()
    avatar.connect()
    session = avatar.session
    for number, step in enumerate(steps):
        avatar.now += 0.3
        if not session.connected:
            avatar.connect()
        if isinstance(step, list):
            for event in step:
                try:
                    avatar.server(event)
                except ServerEventError:
                    assert isinstance(event, str)
            continue
        reply = session._outlet.reply
        acts: dict[str, Callable[[], object]] = {
            "lose": lambda: session.news(Closed("lost"), round(avatar.now * 1e9)),
            "hear": lambda: session.hear(CHUNK, 0),
            "play": lambda: session.played(CHUNK + 9),
            "demand": lambda r=reply: r and session.demand(r.stream, 0, 160_000),
            "write": lambda n=number: session.write(1_000 + n, "hello"),
            "say": lambda: session.write(0, "hello"),
            "cancel": lambda: session.cancel(max(avatar.answers, default=0)),
            "pause": lambda: session.pause(max(avatar.answers, default=0)),
            "resume": lambda: session.resume(max(avatar.answers, default=0)),
            "tick": session.tick,
        }
        acts[step]()
        avatar.collect()
    session.news(Closed("lost"), round(avatar.now * 1e9))
    finals = [turn for turn, _, is_final in avatar.utterances if is_final]
    spoken = {turn for turn, _ in avatar.activities}
    assert sorted(finals) == sorted(spoken)
    assert sorted(turn for turn, active in avatar.activities if not active) == sorted(spoken)
    over = {segment.turn for segment in avatar.said if segment.is_last or segment.cancelled}
    reply = session._outlet.reply
    for turn in avatar.answers:
        assert turn in over or (reply and reply.track.finished) or turn < avatar.answers[-1]
