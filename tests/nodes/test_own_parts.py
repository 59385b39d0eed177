"""The examples stand in the place of our nodes, and docs/extending.md says what is declared."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.task import Future
from std_srvs.srv import Trigger
from support.ament_prefix import ament_prefix
from support.graph_under_test import GraphUnderTest
from support.message_visitor import IDLE, LISTENING, SPEAKING, Visitor
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import write_tiny_profile

from avatar_msgs.action import Say
from avatar_msgs.msg import TurnControl
from avatar_msgs.srv import Ask
from avatar_nodes.graph.graph import Graph
from avatar_nodes.profile import load_profile
from avatar_nodes.profile.resources import share_directory
from avatar_nodes.speaking.settings import VoiceSettings
from avatar_nodes.speaking.synthesis.backends import build_synthesiser
from avatar_nodes.speaking.synthesis.synthesiser import SynthesisError
from avatar_nodes.wire.action_client import ActionClient
from avatar_nodes.wire.declaration import ANYBODY, Declaration
from avatar_nodes.wire.topics import SERVICES, TOPICS

EXAMPLES = share_directory() / "examples"
PAGE = share_directory() / "docs" / "extending.md"
NODES = ("reasoner", "voice", "viewer")
STAND_IN_FOR = ("reasoner", "voice", "listener", ANYBODY)
WAVING = "A person talks and waves with one hand."
SAMPLES_A_WORD = 4000
PROCESSES = "body: [conductor, denoiser_1, denoiser_2, decoder, presenter]"

Row = tuple[str, str, str, str, str]


def test_the_page_has_the_topics_that_are_declared() -> None:
    if not PAGE.is_file():
        pytest.skip("docs/ is only in a source tree")
    rows = re.findall(
        r"^\| (\w+) \| (\w+) \| `(\S+)` \| (\S+) \| ?(.*?) \| (.+) \|$", PAGE.read_text(), re.M
    )
    assert [row[:5] for row in rows if not row[5].strip()] == [], "nothing said of it"
    assert sorted(row[:5] for row in rows) == sorted(_declared())


def _declared() -> Iterator[Row]:
    for who in STAND_IN_FOR:
        for topic in TOPICS:
            here = who, topic.name, _type(topic)
            if who in topic.publishers:
                yield here[0], "publishes", *here[1:], _in_words(topic.offered_by(who))
            if who in topic.readers:
                yield here[0], "reads", *here[1:], _in_words(topic.wanted_by(who))
        for service in SERVICES:
            if who in service.servers:
                yield who, "serves", service.name, _type(service), ""


def _type(declared: Declaration) -> str:
    return f"{declared.type.__module__.split('.')[0]}/{declared.type.__name__}"


def _in_words(qos: QoSProfile) -> str:
    if qos.reliability == ReliabilityPolicy.BEST_EFFORT:
        return f"best effort, {qos.depth}"
    latched = qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
    return f"{'latched' if latched else 'reliable'}, {qos.depth}"


@pytest.mark.parametrize("name", NODES)
def test_a_node_needs_the_messages_alone(name: str) -> None:
    tree = ast.parse((EXAMPLES / f"{name}.py").read_text())
    imported = {
        module.split(".")[0]
        for node in ast.walk(tree)
        for module in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    assert "avatar_msgs" in imported and "avatar_nodes" not in imported


def test_own_parts_stand_in_the_place_of_ours(
    checkpoint: Path, tmp_path: Path, processes: ProcessGroup, spinner: Spinner
) -> None:
    profile = load_profile(write_tiny_profile(tmp_path, checkpoint, processes=PROCESSES))
    graph = Graph.from_profile(profile, mode="converse").part(without=["reasoner", "voice"])
    visitor = Visitor(spinner, graph)
    reported: set[str] = set()
    visitor.node.create_subscription(
        DiagnosticArray,
        "/diagnostics",
        lambda msg: reported.update(status.name for status in msg.status),
        10,
    )
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start(["body"])
    for name in NODES:
        command = [sys.executable, EXAMPLES / f"{name}.py", "--ros-args"]
        processes.start([*command, "-r", f"__ns:={graph.namespace}"], name=name)
    try:
        visitor.meet()
        _answers(visitor)
        _is_held_and_cut_short(visitor)
        _speaks_on_its_own(visitor)
        _is_asked_in_writing(visitor)
        _resets(visitor)
        wait_until(lambda: _loudest_seen(processes.log("viewer")) > 4000, what="a viewer that saw")
        body = {f"{graph.namespace}/{node.name}" for node in graph.nodes if node.process == "body"}
        wait_until(lambda: reported == body, what=f"reports of {body}, not {reported}")
    finally:
        print(running.logs(), *(processes.log(name) for name in NODES))


def _answers(visitor: Visitor) -> None:
    first = len(visitor.avatar.sound)
    turn = visitor.asks("where is the exit")
    visitor.wait_for(SPEAKING)
    visitor.wait_for(IDLE)
    texts = [reply.text for reply in visitor.replies if reply.turn == turn]
    assert texts == ["I have heard you.", "You said: where is the exit."]
    said = visitor.words_of(turn)
    assert len(said) == len(" ".join(texts).split()) * SAMPLES_A_WORD
    wait_until(
        lambda: _is_heard(said, np.concatenate(list(visitor.avatar.sound)[first:])),
        what="all that the voice said",
    )
    assert WAVING in {visitor.prompts[block.prompt_id] for block in visitor.blocks}


def _is_heard(said: np.ndarray, heard: np.ndarray) -> bool:
    """Without a hole; silence within it may be longer."""
    return np.array_equal(heard[heard != 0], said[said != 0])


def _is_held_and_cut_short(visitor: Visitor) -> None:
    """A cough holds it, words end it."""
    first = len(visitor.avatar.sound)
    turn = visitor.asks(" ".join(["word"] * 40))
    visitor.wait_for_sound()
    visitor.is_heard(True)
    wait_until(lambda: visitor.commands(turn) == [TurnControl.PAUSE], what="a held reply")
    visitor.wait_for(LISTENING)
    visitor.wait_for_silence()
    visitor.is_heard(False)
    visitor.says("")
    wait_until(
        lambda: visitor.commands(turn) == [TurnControl.PAUSE, TurnControl.RESUME],
        what="the reply again after a cough",
    )
    visitor.wait_for_sound()
    visitor.is_heard(True)
    visitor.wait_for(LISTENING)
    visitor.says("wait", final=False)
    wait_until(lambda: visitor.commands(turn)[-1] == TurnControl.CANCEL, what="a dropped reply")
    visitor.wait_for_silence()
    heard = np.concatenate(list(visitor.avatar.sound)[first:])
    heard, said = heard[heard != 0], visitor.words_of(turn)
    said = said[said != 0]
    assert 0 < len(heard) < len(said)
    another = len(visitor.avatar.sound)
    visitor.is_heard(False)
    turn = visitor.says("thank you")
    visitor.wait_for_sound()
    visitor.wait_for(IDLE)
    said = visitor.words_of(turn)
    wait_until(
        lambda: _is_heard(said, np.concatenate(list(visitor.avatar.sound)[another:])),
        what="the answer to what cut it short, and nothing else",
    )


def _speaks_on_its_own(visitor: Visitor) -> None:
    say = ActionClient(visitor.node, Say, "say")
    assert say.wait_for_server(60.0)
    handle = _done(say.send_goal_async(Say.Goal(text="Welcome to the booth.")))
    result = _done(handle.get_result_async()).result
    assert (result.success, result.message) == (True, "")
    assert result.duration == pytest.approx(4 * SAMPLES_A_WORD / 16_000, abs=0.5)
    say.destroy()


def _is_asked_in_writing(visitor: Visitor) -> None:
    ask = visitor.node.create_client(Ask, "ask")
    assert ask.wait_for_service(60.0)
    refused = _done(ask.call_async(Ask.Request(text=" ?! ")))
    assert (refused.success, refused.turn) == (False, 0) and "expected words" in refused.message
    asked = _done(ask.call_async(Ask.Request(text="where is the exit", language="en")))
    assert (asked.success, asked.message) == (True, "")
    visitor.wait_for(SPEAKING)
    visitor.wait_for(IDLE)
    texts = [reply.text for reply in visitor.replies if reply.turn == asked.turn]
    assert texts == ["I have heard you.", "You said: where is the exit."]


def _resets(visitor: Visitor) -> None:
    reset = visitor.node.create_client(Trigger, "reset")
    assert reset.wait_for_service(60.0)
    answer = _done(reset.call_async(Trigger.Request()))
    assert (answer.success, answer.message) == (True, ""), "there is a reasoner to forget"


def _done(future: Future[Any]) -> Any:
    wait_until(future.done, what="an answer")
    return future.result()


def _loudest_seen(log: str) -> int:
    """In the seconds in which there were pictures."""
    seconds = re.findall(r"(\d+) pictures with sound, loudest (\d+)", log)
    return max((int(loudest) for pictures, loudest in seconds if int(pictures) > 5), default=0)


def test_an_own_synthesiser_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    settings = VoiceSettings(backend="own", synthesiser="synthesiser:HummingSynthesiser")
    synthesiser = build_synthesiser(settings)
    sound = np.concatenate(list(synthesiser.synthesise("Three short words.")))
    synthesiser.close()
    assert sound.dtype == np.int16 and len(sound) == pytest.approx(0.75 * 16_000, abs=50)
    assert np.abs(sound).max() > 4000


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "''"),
        ("no_such_module:Voice", "No module named 'no_such_module'"),
        ("pathlib:Voice", "Voice"),
        ("pathlib:Path", "expected a subclass of Synthesiser"),
    ],
)
def test_a_synthesiser_that_is_none_is_refused_in_one_line(name: str, why: str) -> None:
    with pytest.raises(SynthesisError, match=r"^synthesiser ") as refused:
        build_synthesiser(VoiceSettings(backend="own", synthesiser=name))
    assert why in str(refused.value) and "\n" not in str(refused.value)


def test_the_launch_file_asks_for_what_there_is() -> None:
    tree = ast.parse((EXAMPLES / "own_parts.launch.py").read_text())
    given = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    namespace = ast.literal_eval(given["NAMESPACE"])
    mapping = given["ARGUMENTS"]
    assert isinstance(mapping, ast.Dict)
    arguments = {
        ast.literal_eval(key): namespace if isinstance(value, ast.Name) else ast.literal_eval(value)
        for key, value in zip(mapping.keys, mapping.values, strict=True)
        if key is not None
    }
    text = (share_directory() / "launch" / "avatar.launch.py").read_text()
    assert set(arguments) <= set(re.findall(r'DeclareLaunchArgument\(\s*"(\w+)"', text))
    without = arguments.pop("without").split(",")
    Graph.from_profile(load_profile("tiny"), **arguments).part(without=without)
    public = {topic.name for topic in TOPICS if ANYBODY in topic.readers}
    assert {old for old, _ in ast.literal_eval(given["REMAPPINGS"])} <= public


@pytest.mark.skipif(
    importlib.util.find_spec("launch_ros") is None,
    reason="launch_ros is not on PyPI; it comes with a ROS 2 distribution",
)
def test_the_launch_file_launches_our_nodes_renamed_and_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(ament_prefix(tmp_path)), prepend=os.pathsep)
    from launch import LaunchContext
    from launch.actions import IncludeLaunchDescription, OpaqueFunction
    from launch_ros.actions import Node, SetRemap

    spec = importlib.util.spec_from_file_location("own_parts", EXAMPLES / "own_parts.launch.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    context = LaunchContext()
    found: list[Any] = []

    def visit(entity: Any) -> None:
        found.append(entity)
        if isinstance(entity, Node):
            return  # what it would run is looked at, not run
        for inner in entity.visit(context) or []:
            visit(inner)

    visit(module.generate_launch_description())
    for kind, count in ((SetRemap, 1), (IncludeLaunchDescription, 1), (OpaqueFunction, 1)):
        assert sum(isinstance(entity, kind) for entity in found) >= count, kind
    ran = [node.node_executable for node in found if isinstance(node, Node)]
    assert ran.count(sys.executable) == len(NODES)
    assert {"microphone", "conductor", "presenter"} <= set(ran)
    assert not {"reasoner", "voice"} & set(ran)
