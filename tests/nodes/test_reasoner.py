"""The reasoner node by its topics: utterances in; intent and reply out, held or dropped as told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger
from support.hostile_server import HostileServer
from support.spinner import Spinner, wait_until

from avatar_msgs.msg import AvatarState, Intent, Persona, ReplySegment, TurnControl, Utterance
from avatar_msgs.srv import SetPersona
from avatar_nodes.conducting.conversation_table import Command, State
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.mind.backends import build_reasoner
from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.mind.reasoner import Reasoner, ReasonerError
from avatar_nodes.nodes.reasoner import ReasonerNode
from avatar_nodes.wire.qos import CONTROL, DIAGNOSTICS, LATCHED
from avatar_nodes.wire.stamp import stamp_of

WAVE = "A person talks and waves with one hand."
Start = Callable[..., ReasonerNode]


@pytest.fixture
def start(ros_context: rclpy.Context, spinner: Spinner) -> Iterator[Start]:
    """Starts the node; it is shut down before the test's other nodes."""
    nodes: list[ReasonerNode] = []

    def start(**parameters: object) -> ReasonerNode:
        values = {"diagnostics_period_s": 0.2} | parameters
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        node = ReasonerNode(context=ros_context, parameter_overrides=overrides)
        nodes.append(node)
        node.autostart()
        spinner.add(node)
        return node

    yield start
    for node in nodes:
        node.heartbeat.stop()
        node.trigger_deactivate()
        node.trigger_cleanup()


class Visitor:
    """Speaks, and collects the answers."""

    def __init__(self, spinner: Spinner) -> None:
        self.node = spinner.create_node("visitor")
        self.intents: list[Intent] = []
        self.segments: list[ReplySegment] = []
        self.personas: list[Persona] = []
        self.reports: dict[str, str] = {}
        subscribe = self.node.create_subscription
        subscribe(Intent, "intent", self.intents.append, LATCHED)
        subscribe(ReplySegment, "reply", self.segments.append, CONTROL)
        subscribe(Persona, "persona", self.personas.append, LATCHED)
        subscribe(DiagnosticArray, "/diagnostics", self._report, DIAGNOSTICS)
        self._utterances = self.node.create_publisher(Utterance, "user/utterance", CONTROL)
        self._control = self.node.create_publisher(TurnControl, "turn/control", CONTROL)
        self._state = self.node.create_publisher(AvatarState, "state", LATCHED)

    def find(self) -> None:
        """Wait until the reasoner hears, and is heard."""
        for publisher in (self._utterances, self._control, self._state):
            wait_until(lambda p=publisher: p.get_subscription_count() > 0, what="the reasoner")
        for topic in ("intent", "reply"):
            wait_until(lambda t=topic: self.node.count_publishers(t) > 0, what="its answers")

    def say(
        self, turn: int, text: str, *, final: bool = True, confidence: float = -1.0,
        span_s: tuple[float, float] = (0.0, 0.0),
    ) -> None:  # fmt: skip
        start, end = (stamp_of(round(at * 1e9)) for at in span_s)
        self._utterances.publish(
            Utterance(
                turn=turn, text=text, is_final=final, confidence=confidence, start=start, end=end
            )
        )

    def control(self, turn: int, command: int) -> None:
        self._control.publish(TurnControl(turn=turn, command=command))

    def sees(self, state: int, turn: int, *, replying: bool = True) -> None:
        """And lets the reasoner see it."""
        self._state.publish(AvatarState(state=state, turn=turn, replying=replying))
        wait_until(lambda: self.call("reasoner/forget").success, what="a round trip")

    def call(self, service: str) -> Trigger.Response:
        client = self.node.create_client(Trigger, service)
        assert client.wait_for_service(timeout_sec=300.0)
        future = client.call_async(Trigger.Request())
        wait_until(future.done, what=service)
        return future.result()

    def of(self, turn: int) -> list[ReplySegment]:
        return [segment for segment in self.segments if segment.turn == turn]

    def hear_out(self, turn: int) -> list[ReplySegment]:
        wait_until(lambda: any(s.is_last for s in self.of(turn)), what=f"turn {turn}'s end")
        return self.of(turn)

    def words(self, turn: int) -> str:
        return " ".join(segment.text for segment in self.hear_out(turn)).strip()

    def _report(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name.endswith("reasoner"):
                self.reports = {pair.key: pair.value for pair in status.values}
                self.reports["message"] = status.message
                self.reports["level"] = "OK" if status.level == DiagnosticStatus.OK else "not OK"


@pytest.fixture
def visitor(spinner: Spinner) -> Visitor:
    return Visitor(spinner)


def test_the_numbers_are_those_of_the_messages() -> None:
    for state in State:
        assert getattr(AvatarState, state.name) == state
    for command in Command:
        assert getattr(TurnControl, command.name) == command


def test_an_answer(start: Start, visitor: Visitor) -> None:
    start()
    visitor.find()
    turn = time.time_ns() // 1_000_000
    visitor.say(turn, "hello th", final=False)
    visitor.say(turn, "hello there")
    segments = visitor.hear_out(turn)
    assert [segment.index for segment in segments] == list(range(len(segments)))
    assert [segment.is_last for segment in segments] == [False] * (len(segments) - 1) + [True]
    assert not any(segment.cancelled for segment in segments)
    assert segments[0].language == "en"
    wait_until(lambda: len(visitor.intents) == 1, what="the intent")
    (intent,) = visitor.intents
    assert (intent.turn, intent.action_prompt) == (turn, WAVE)
    assert intent.action_duration == 2.5
    assert intent.stable_prompt == "A person is quiet and calm."
    wait_until(lambda: visitor.reports.get("replies") == "1", what="the report")
    assert {"first_token_ms_p50", "first_segment_ms_p50", "reply_ms_p50"} <= set(visitor.reports)
    assert float(visitor.reports["confidence"]) > 0.8
    assert visitor.reports["fallbacks"] == visitor.reports["problem/timeout"] == "0"
    assert visitor.reports["level"] == "OK"


def test_what_was_said_is_remembered_and_forgotten(start: Start, visitor: Visitor) -> None:
    start()
    visitor.find()
    visitor.say(1, "what is your name")
    name = visitor.words(1)
    assert "Ada" in name
    visitor.say(2, "say that again")
    assert visitor.words(2) == name
    assert visitor.call("reasoner/forget").success
    visitor.say(3, "say that again")
    assert visitor.words(3) in load_persona("default").fallback.unknown


@pytest.mark.parametrize(
    ("meant", "parts"),
    [
        ("toilets", ("where are the", "toilets")),
        ("toilets", ("hello where are the", "toilets")),
        ("toilets", ("hello", "where are the", "toilets")),
        ("how_are_you", ("good morning", "how are you")),
    ],
)
def test_a_pause_in_a_sentence_loses_nothing_of_it(
    start: Start, visitor: Visitor, meant: str, parts: tuple[str, ...]
) -> None:
    start()
    visitor.find()
    for turn, text in enumerate(parts, start=1):
        visitor.say(turn, text, span_s=(10.0 * turn, 10.0 * turn + 9.4))
    assert visitor.words(len(parts)) in load_persona("default").intent(meant).replies


def test_pause_resume_and_cancel(start: Start, visitor: Visitor) -> None:
    start()
    visitor.find()
    visitor.control(1, TurnControl.PAUSE)
    visitor.control(0, TurnControl.CANCEL)
    visitor.say(1, "hello")
    wait_until(lambda: visitor.reports.get("replies") == "1", what="the reply's end")
    assert visitor.segments == []
    visitor.control(1, TurnControl.RESUME)
    assert visitor.words(1)
    visitor.control(1, TurnControl.CANCEL)
    wait_until(lambda: visitor.of(1)[-1].cancelled, what="the cancelled segment")


def test_pardon_once_then_silence(start: Start, visitor: Visitor) -> None:
    start(min_confidence=0.3)
    visitor.find()
    visitor.say(1, "")
    assert visitor.words(1) in load_persona("default").fallback.pardon
    visitor.say(2, "um er", confidence=0.1)
    assert visitor.words(2) == ""
    assert len(visitor.of(2)) == 1


def test_a_cough_into_the_reply_is_passed_over(start: Start, visitor: Visitor) -> None:
    start()
    visitor.find()
    visitor.sees(AvatarState.SPEAKING, 1)
    visitor.say(2, "")
    wait_until(lambda: visitor.reports.get("coughs") == "1", what="the cough")
    visitor.say(3, "what time is it")
    assert visitor.words(3)
    assert visitor.of(2) == []


def test_without_barge_in_what_is_said_into_the_last_words_is_not_answered(
    start: Start, visitor: Visitor
) -> None:
    """They are heard later than the blocks behind them are issued."""
    start(barge_in=False)
    visitor.find()
    visitor.sees(AvatarState.IDLE, 0)
    visitor.say(2, "hello")
    visitor.say(3, "")
    wait_until(lambda: visitor.reports.get("overheard") == "2", what="both turns")
    visitor.sees(AvatarState.IDLE, 0, replying=False)
    visitor.say(4, "hello")
    assert visitor.words(4)
    assert {segment.turn for segment in visitor.segments} == {4}


def test_a_turn_of_a_clock_set_back_since_is_answered(start: Start, visitor: Visitor) -> None:
    start()
    visitor.find()
    turn = time.time_ns() // 1_000_000 + 5 * 3_600_000
    visitor.say(turn, "hello")
    assert visitor.words(turn)


def test_bad_messages_are_counted(start: Start, visitor: Visitor) -> None:
    node = start()
    visitor.find()
    visitor.say(0, "hello")  # the conductor's to number, and no rejection
    visitor.say(2**64 - 1, "hello")
    visitor.control(5, 9)
    visitor.say(6, "hello")
    visitor.say(6, "hello")
    wanted = {"turn": 1, "command": 1, "stale": 1}
    wait_until(lambda: node.telemetry.rejections == wanted, what=f"{wanted}")
    assert visitor.words(6)


def test_a_server_that_hangs_ends_in_a_fallback(start: Start, visitor: Visitor) -> None:
    server = HostileServer()
    try:
        start(backend="openai", base_url=server.url, model="silent", first_token_timeout_s=0.3)
        visitor.find()
        visitor.say(1, "hello")
        assert visitor.words(1) in load_persona("default").fallback.trouble
        wait_until(lambda: visitor.reports.get("problem/timeout") == "1", what="the report")
        assert visitor.reports["fallbacks"] == "1"
        assert "no first text within 0.3 s" in visitor.reports["message"]
        assert visitor.reports["level"] == "not OK"
        assert visitor.call("reasoner/reset").success
    finally:
        server.close()


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"persona": "nobody"}, "expected a persona file"),
        ({"backend": "openai"}, "expected base_url"),
        ({"backend": "transformers", "model": "/nowhere"}, "expected a model's folder"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(
    start: Start, parameters: dict[str, Any], line: str
) -> None:
    node = start(**parameters)
    assert node.exit_code == 78
    assert line in node.heartbeat.condition.detail


def test_a_parameter_that_is_none(start: Start, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="parameter backend: expected one of persona"):
        start(backend="oracle")
    with pytest.raises(ConfigurationError, match="min_confidence"):
        start(min_confidence=2.0)


def _become(visitor: Visitor, name: str) -> SetPersona.Response:
    client = visitor.node.create_client(SetPersona, "reasoner/set_persona")
    assert client.wait_for_service(timeout_sec=300.0)
    future = client.call_async(SetPersona.Request(persona=name))
    wait_until(future.done, what="the answer")
    return future.result()


def _is_there(visitor: Visitor, name: str) -> None:
    wait_until(lambda: [p.persona for p in visitor.personas][-1:] == [name], what=f"{name} told")


def test_another_persona_answers_once_it_is_told(start: Start, visitor: Visitor) -> None:
    start()
    visitor.find()
    visitor.say(1, "what is your name")
    assert "Ada" in visitor.words(1)
    assert _become(visitor, "guide").success
    _is_there(visitor, "guide")
    visitor.say(2, "what is your name")
    assert "Max" in visitor.words(2)
    visitor.say(3, "where are the walking robots")
    assert "hall one" in visitor.words(3)
    told = [(p.persona, p.name) for p in visitor.personas]
    assert told == [("default", "Ada"), ("guide", "Max")]
    assert "where are the walking robots" in visitor.personas[1].phrases
    assert visitor.personas[1].prompt_idle == load_persona("guide").states.idle


def test_until_a_persona_is_ready_the_one_before_answers_and_obeys(
    start: Start, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = threading.Event()

    def build_slowly(*args: Any) -> Reasoner:
        assert len(args) == 2 or ready.wait(300.0)  # of the first one no other takes the place
        return build_reasoner(*args)

    monkeypatch.setattr("avatar_nodes.nodes.reasoner.build_reasoner", build_slowly)
    start()
    visitor.find()
    assert _become(visitor, "guide").success
    refused = _become(visitor, "default")
    assert not refused.success and "is being made ready" in refused.message
    visitor.say(1, "what is your name")
    assert "Ada" in visitor.words(1)
    visitor.control(2, TurnControl.PAUSE)
    visitor.say(2, "what is your name")
    wait_until(lambda: visitor.reports.get("replies") == "2", what="the reply's end")
    assert visitor.of(2) == []
    ready.set()
    _is_there(visitor, "guide")
    assert all(segment.cancelled for segment in visitor.hear_out(2)), "it was held till then"
    visitor.say(3, "what is your name")
    assert "Max" in visitor.words(3)
    visitor.say(4, "say that again")
    assert "Ada" not in visitor.words(4)
    assert _become(visitor, "default").success, "the next may come"
    _is_there(visitor, "default")


def test_a_persona_that_cannot_be_made_ready_leaves_the_one_at_hand(
    start: Start, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    start()
    visitor.find()

    def fail(*args: Any) -> Reasoner:
        raise ReasonerError("no server\nthere")

    with monkeypatch.context() as patch:
        patch.setattr("avatar_nodes.nodes.reasoner.build_reasoner", fail)
        assert _become(visitor, "guide").success
        complaint = "persona guide: no server; there"
        wait_until(lambda: visitor.reports.get("message") == complaint, what=complaint)
    wait_until(lambda: visitor.reports["level"] == "not OK", what="a node in trouble")
    visitor.say(1, "what is your name")
    assert "Ada" in visitor.words(1)
    assert [p.persona for p in visitor.personas] == ["default"]
    assert _become(visitor, "guide").success
    _is_there(visitor, "guide")


def test_a_persona_that_is_none_leaves_the_one_at_hand(
    start: Start, visitor: Visitor, tmp_path: Path
) -> None:
    start()
    visitor.find()
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: Nobody\n")
    for name in ("nobody", str(broken), ""):
        response = _become(visitor, name)
        assert not response.success
        assert response.message and "\n" not in response.message
    visitor.say(1, "what is your name")
    assert "Ada" in visitor.words(1)


def test_what_a_file_holds_is_not_told(start: Start, visitor: Visitor, tmp_path: Path) -> None:
    """A stranger reads persona files by name, and those beside the avatar's own alone."""
    (tmp_path / "own.yaml").write_text("extends: default\n")
    (tmp_path / "notes.yaml").write_text("root:$6$secret\nname: 5\n")
    (tmp_path / "fine.yaml").write_text("extends: default\nname: Eve\n")
    start(persona=str(tmp_path / "own.yaml"))
    visitor.find()
    response = _become(visitor, "notes")
    assert not response.success
    assert response.message.startswith("persona notes: ") and "secret" not in response.message
    for name in ("/etc/passwd", str(tmp_path / "notes.yaml")):
        response = _become(visitor, name)
        assert not response.success and "expected one of default, fine, " in response.message
    assert _become(visitor, "fine").success
    _is_there(visitor, "fine")
