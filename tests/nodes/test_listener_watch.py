"""When the microphone takes it that a new listener hears: it says so, and it subscribes."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
import rclpy
from rclpy.node import Node
from rclpy.topic_endpoint_info import TopicEndpointInfo
from support.live_microphone import speak, start_microphone
from support.spinner import Spinner, wait_until
from support.visitor import RATE

from avatar_msgs.msg import AudioChunk, StageStatus
from avatar_nodes.nodes.base import listener_watch
from avatar_nodes.nodes.microphone import MicrophoneNode
from avatar_nodes.wire.qos import CAPTURED, SOUND, STAGES

SOUND_S = 1.0
STEADY = np.full(round(SOUND_S * RATE), 1000, np.int16)


class House:
    """A microphone whose first listener hears, and a place for a second one."""

    def __init__(self, spinner: Spinner, microphone: MicrophoneNode) -> None:
        self.microphone = microphone
        self._spinner = spinner
        node = spinner.create_node("listener")
        self._out = node.create_publisher(AudioChunk, "voice", SOUND)
        self._stages = node.create_publisher(StageStatus, "stages", STAGES)
        self._told = 0
        self.heard = self.subscribe(node)
        wait_until(
            lambda: (
                microphone._capturing
                and self._out.get_subscription_count()
                and self._stages.get_subscription_count()
            ),
            what="matched topics",
        )
        self.status("one", ready=True)
        self.speak()
        wait_until(lambda: last_sample(self.heard) == self._told, what="the sound")

    def subscribe(self, node: Node) -> list[AudioChunk]:
        chunks: list[AudioChunk] = []
        before = self.microphone._audio.get_subscription_count()
        node.create_subscription(AudioChunk, "user/audio", chunks.append, CAPTURED)
        wait_until(
            lambda: self.microphone._audio.get_subscription_count() > before, what="a subscription"
        )
        return chunks

    def another(self, name: str) -> list[AudioChunk]:
        """What another node hears, from now on."""
        return self.subscribe(self._spinner.create_node(name))

    def status(self, instance: str, *, ready: bool) -> None:
        self._stages.publish(StageStatus(name="listener", instance=instance, ready=ready))

    def speak(self) -> None:
        speak(self._out, STEADY, self._told)
        self._told += len(STEADY)

    def speak_until_heard(self, chunks: list[AudioChunk], *, what: str = "the sound") -> None:
        self.speak()
        wait_until(lambda: self.all_heard(chunks), what=what)

    def all_heard(self, chunks: list[AudioChunk]) -> bool:
        return last_sample(chunks) == self._told


def last_sample(chunks: list[AudioChunk]) -> int:
    return chunks[-1].first_sample + len(chunks[-1].data) if chunks else -1


@pytest.fixture
def house(spinner: Spinner, ros_context: rclpy.Context) -> Iterator[House]:
    microphone = start_microphone(ros_context, spinner)
    yield House(spinner, microphone)
    microphone.heartbeat.stop()


def test_who_subscribes_as_listener_hears_nothing_before_it_says_that_it_is_ready(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A piece from the middle of a sentence would be taken for all of it."""
    monkeypatch.setattr(listener_watch, "_PATIENCE_S", np.inf)
    heard = house.another("listener")
    house.speak()
    assert not heard
    house.status("two", ready=False)
    house.status("two", ready=True)
    wait_until(lambda: house.all_heard(heard), what="the sound")
    assert heard[0].first_sample < len(STEADY)
    firsts = [chunk.first_sample for chunk in heard]
    assert firsts == sorted(firsts)
    assert house.microphone._sender.resent == 1


def test_a_listener_that_is_ready_is_told_when_it_subscribes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.status("two", ready=True)
    time.sleep(0.5)
    monkeypatch.setattr(listener_watch, "_PATIENCE_S", 1.0)
    house.speak()
    wait_until(lambda: house.all_heard(house.heard), what="that nobody waits for ever")
    assert house.microphone._sender.resent == 0
    heard = house.another("listener")
    wait_until(lambda: house.all_heard(heard), what="the sound")
    assert house.microphone._sender.resent == 1


def test_a_subscriber_that_is_no_listener_is_not_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_watch, "_PATIENCE_S", np.inf)
    heard = house.another("recorder")
    house.speak_until_heard(heard)
    assert house.microphone._sender.resent == 0


def test_one_that_only_has_the_name_of_a_listener_is_waited_for_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = house.another("listener")
    house.speak_until_heard(heard, what="the sound, a little late")
    monkeypatch.setattr(listener_watch, "_PATIENCE_S", np.inf)
    house.speak_until_heard(heard, what="the sound, without another wait")
    assert house.microphone._sender.resent == 0


@pytest.fixture
def nameless(house: House, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Nodes that the ROS graph has no name for, as of a client without ROS; or not yet."""
    names: set[str] = set()
    node = house.microphone
    infos = node.get_subscriptions_info_by_topic

    def without_names(topic: str) -> list[TopicEndpointInfo]:
        found = infos(topic)
        for info in found:
            if info.node_name in names:
                info.node_name = "_NODE_NAME_UNKNOWN_"
        return found

    monkeypatch.setattr(node, "get_subscriptions_info_by_topic", without_names)
    return names


def test_whoever_comes_after_a_listener_that_fell_silent_may_be_the_next_one(
    house: House, nameless: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tells his name was lost, and comes again after seconds."""
    monkeypatch.setattr(listener_watch, "_PATIENCE_S", np.inf)
    monkeypatch.setattr(listener_watch, "_SILENT_S", 0.0)
    nameless.add("listener_two")
    heard = house.another("listener_two")
    house.speak()
    assert not heard
    nameless.clear()
    wait_until(lambda: house.all_heard(heard), what="the sound: it was no listener")


def test_a_client_without_ros_is_waited_for_once(
    house: House, nameless: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_watch, "_SILENT_S", 0.0)
    nameless.add("client")
    heard = house.another("client")
    house.speak_until_heard(heard, what="the sound, a little late")
    monkeypatch.setattr(listener_watch, "_PATIENCE_S", np.inf)
    house.speak_until_heard(heard, what="the sound, without another wait")
    assert house.microphone._sender.resent == 0


def test_while_the_listener_is_alive_a_client_without_ros_is_not_waited_for(
    house: House, nameless: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_watch, "_PATIENCE_S", np.inf)
    monkeypatch.setattr(listener_watch, "_SILENT_S", np.inf)
    nameless.add("client")
    heard = house.another("client")
    house.speak_until_heard(heard)
