"""One message of a stranger, however wrong, does not stop the picture; nor do many requests."""

from __future__ import annotations

import array
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from PIL import Image
from rclpy.qos import QoSProfile
from support.graph_under_test import GraphUnderTest, Listener
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import LATENT_CHANNELS, write_tiny_profile

from avatar_msgs import msg as m
from avatar_msgs.srv import SetPrompt, SetReference
from avatar_nodes.graph.graph import Graph
from avatar_nodes.profile import load_profile
from avatar_nodes.wire.qos import BLOCKS, LATCHED, SOUND, STAGES

STILL_S = 3.0
"""For so long at most no new block may be presented: six blocks' time on a machine with two cores
that does other work."""
HIGHEST, SOON = 2**64 - 1, 10_000
HUGE = 2**63 - 1


def latent(*shape: int) -> m.Tensor:
    size = 4
    for side in shape:
        size *= side
    return m.Tensor(dtype="float32", shape=list(shape), data=array.array("B", bytes(size)))


def hostile(now_ms: int, listener: Listener) -> Iterator[tuple[str, Any, QoSProfile]]:
    """Topic, message, QoS: each froze the avatar once, or is a brother of such."""
    epoch, block = listener.presented[-1].epoch, listener.presented[-1].block
    for each in (HIGHEST, now_ms + SOON):
        yield "stages", m.StageStatus(name="denoiser_2", epoch=each, ready=True), STAGES
        yield "stages", m.StageStatus(name="decoder", instance="mine", epoch=each), STAGES
        yield "blocks/epoch", m.EpochStart(epoch=each), LATCHED
        yield "blocks/epoch", m.EpochStart(epoch=each, first_block=HIGHEST), LATCHED
    small = latent(1, 1, 1, 1)
    yield "sink", m.SinkFrame(replaces=True, latent=small), BLOCKS
    yield (
        "sink",
        m.SinkFrame(version=1, prompt_id="mine", latent=latent(LATENT_CHANNELS, 1, 4, 4)),
        BLOCKS,
    )
    yield "sink", m.SinkFrame(version=2**32 - 1, latent=latent(LATENT_CHANNELS, 1, 4, 4)), BLOCKS
    due = Time(sec=2**31 - 1)
    for ahead in (HUGE, block + 60):
        yield (
            "blocks/credit",
            m.BlockCredit(epoch=epoch, presented_block=ahead, playable_block=ahead),
            LATCHED,
        )
    for ahead in (HUGE, -HUGE, block):
        yield (
            "blocks/credit",
            m.BlockCredit(epoch=epoch, presented_block=block, playable_block=ahead, next_due=due),
            LATCHED,
        )
    yield (
        "blocks/latent_clean",
        m.LatentBlock(epoch=epoch, block=block, step=4, latent=small),
        BLOCKS,
    )
    yield (
        "blocks/latent_clean",
        m.LatentBlock(epoch=epoch, block=block + 1, step=4, latent=small),
        BLOCKS,
    )
    yield (
        "speech/audio",
        m.AudioChunk(
            stream="mine", sample_rate=16000, channels=1, first_sample=HIGHEST, data=[1, 2]
        ),
        SOUND,
    )
    yield "speech/demand", m.AudioDemand(next_sample=HIGHEST - 1, limit_sample=HIGHEST), LATCHED
    yield "turn/control", m.TurnControl(first_block=HIGHEST), BLOCKS


@pytest.fixture
def shown(
    checkpoint: Path, long_speech: Path, tmp_path: Path, processes: ProcessGroup, spinner: Spinner
) -> Iterator[Listener]:
    profile = load_profile(str(write_tiny_profile(tmp_path, checkpoint)))
    graph = Graph.from_profile(
        profile, mode="puppet", audio=long_speech, placement="single", namespace="/hostile"
    )
    listener = Listener(spinner, graph.namespace)
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start()
    wait_until(lambda: len(listener.presented) > 2, what="the first blocks")
    yield listener
    print(running.logs())
    assert [running.exit_code(name) for name in running.names] == [None]


def still_s(listener: Listener, blocks: int = 3, patience_s: float = 40.0) -> float:
    """The longest time without a new block while so many come; the patience, if they do not."""
    began = last = time.monotonic()
    have, longest = len(listener.presented), 0.0
    for _ in range(blocks):
        while len(listener.presented) <= have:
            if time.monotonic() - began > patience_s:
                return patience_s
            time.sleep(0.01)
        have, now = len(listener.presented), time.monotonic()
        longest, last = max(longest, now - last), now
    return longest


def test_no_single_message_stops_the_picture(shown: Listener) -> None:
    took: dict[str, float] = {}
    publishers: dict[str, Any] = {}
    for index in range(len(list(hostile(0, shown)))):
        topic, message, qos = list(hostile(time.time_ns() // 1_000_000, shown))[index]
        if topic not in publishers:
            publishers[topic] = shown.node.create_publisher(type(message), topic, qos)
            wait_until(lambda: publishers[topic].get_subscription_count() > 0, what=topic)  # noqa: B023
            time.sleep(0.5)
        publishers[topic].publish(message)
        took[f"{index} {topic}"] = still_s(shown)
        print(f"{index} {topic}: {took[f'{index} {topic}']:.2f} s", flush=True)
    assert {name: seconds for name, seconds in took.items() if seconds > STILL_S} == {}


def test_many_prompts_do_not_stop_the_picture(shown: Listener) -> None:
    """200 a second for 6 s; of those that are answered each counts until the next block."""
    client = shown.node.create_client(SetPrompt, "set_prompt")
    assert client.wait_for_service(20.0)
    have, last, longest = len(shown.presented), time.monotonic(), 0.0
    for number in range(1200):
        client.call_async(SetPrompt.Request(prompt=f"prompt {number}"))
        time.sleep(0.005)
        if len(shown.presented) > have:
            have, last = len(shown.presented), time.monotonic()
        longest = max(longest, time.monotonic() - last)
    at_last = client.call(SetPrompt.Request(prompt="the last one"), timeout_sec=10.0)
    longest = max(longest, still_s(shown, 6))
    print(f"{longest:.2f} s")
    assert longest < STILL_S
    assert at_last.success and shown.presented[-1].prompt_id == at_last.prompt_id


def test_a_picture_of_a_stranger_does_not_stop_the_picture(shown: Listener, tmp_path: Path) -> None:
    """Its decoder takes seconds; so does a pipe that nobody writes into."""
    slow = io.BytesIO()
    deep = np.random.default_rng(0).integers(0, 2**16, (3000, 3300), dtype=np.uint16)
    Image.fromarray(deep).save(slow, "PNG")
    os.mkfifo(tmp_path / "pipe.png")
    big = SetReference.Request(framing=SetReference.Request.MIDDLE)
    pipe = SetReference.Request(path=str(tmp_path / "pipe.png"))
    big.image.frombytes(slow.getvalue())
    client = shown.node.create_client(SetReference, "set_reference")
    assert client.wait_for_service(20.0)
    for request, taken in ((pipe, False), (big, True)):
        answer = client.call_async(request)
        seconds = still_s(shown)
        wait_until(answer.done, what="an answer", seconds=40.0)
        print(f"{seconds:.2f} s: {answer.result()}")
        assert answer.result().success is taken
        assert seconds < STILL_S
    assert still_s(shown) < STILL_S, "of the new person"
