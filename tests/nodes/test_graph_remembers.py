"""The whole graph with visual memory and changes of the prompt: the loop's frames, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.graph_under_test import GraphUnderTest, Listener
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import write_tiny_profile

from avatar_msgs.srv import SetPrompt
from avatar_nodes.conducting.build import PromptEncoder
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.graph.graph import Graph
from avatar_nodes.pipeline.in_process import render_in_process, start_pipeline
from avatar_nodes.profile import Profile, load_profile, with_values
from avatar_nodes.sound.audio_file import read_audio_file

LAG = 3
MEMORY = {"enabled": True, "lag": LAG, "gate": -1.0, "half_life": 10.0}
PROMPTS = ("a person waves", "a person nods", "a person talks to the camera")


@pytest.fixture(scope="module")
def profile(remembering: Path, tmp_path_factory: pytest.TempPathFactory) -> Profile:
    shared = "back: [denoiser_2, decoder, memory]"
    file = write_tiny_profile(tmp_path_factory.mktemp("profile"), remembering, processes=shared)
    return with_values(load_profile(str(file)), {"memory": MEMORY})


def test_memory_rides_with_the_blocks(
    profile: Profile, long_speech: Path, tmp_path: Path, processes: ProcessGroup, spinner: Spinner
) -> None:
    """Three prompts are asked for while two minutes are made; the loop gets them at the blocks
    that the conductor named."""
    graph = Graph.from_profile(profile, mode="render", audio=long_speech)
    listener = Listener(spinner, graph.namespace)
    client = listener.node.create_client(SetPrompt, f"{graph.namespace}/set_prompt")
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start()
    changes: dict[int, str] = {}
    for text in PROMPTS:
        seen = len(listener.frames)
        wait_until(lambda seen=seen: len(listener.frames) >= seen + 24, what="two blocks")
        answer = client.call_async(SetPrompt.Request(prompt=text, cache_switch=True))
        wait_until(answer.done, what="the prompt")
        response = answer.result()
        assert response is not None and response.success
        changes[response.first_block] = text
    last = max(changes) + 6
    wait_until(lambda: len(listener.frames) >= 12 * last, what="six blocks more")
    blocks = {msg.block: msg for msg in listener.presented}
    assert [n for n in sorted(blocks) if blocks[n].cache_switch] == sorted(changes)
    for number in range(last):
        assert blocks[number].memory_version == max(0, number + 1 - LAG)
    made = np.stack(listener.frames[: 12 * last])
    assert np.array_equal(made, _loop(graph, long_speech, last, changes)), running.logs()


def test_memory_changes_what_is_seen(profile: Profile, long_speech: Path) -> None:
    """So that the test above compares something; the first blocks have none yet."""
    samples = read_audio_file(long_speech)[: 6 * 7680]
    without = with_values(profile, {"memory": {"enabled": False}})
    first, second = (
        np.stack(list(render_in_process(Graph.from_profile(p), samples)))
        for p in (profile, without)
    )
    assert np.array_equal(first[: 12 * LAG], second[: 12 * LAG])
    assert not np.array_equal(first[12 * LAG : 12 * LAG + 12], second[12 * LAG : 12 * LAG + 12])


def test_the_profile_s_ablations_reach_the_memory(profile: Profile, long_speech: Path) -> None:
    samples = read_audio_file(long_speech)[: 12 * 7680]
    ablations: list[dict[str, object]] = [{}, {"long": 0}, {"short": 0}, {"selection": "random"}]
    made = {
        np.stack(
            list(
                render_in_process(
                    Graph.from_profile(with_values(profile, {"memory": values})), samples
                )
            )
        ).tobytes()
        for values in ablations
    }
    assert len(made) == len(ablations)


def _loop(graph: Graph, speech: Path, blocks: int, changes: dict[int, str]) -> np.ndarray:
    pipeline = start_pipeline(graph)
    encoder = PromptEncoder(*graph.settings_of(ConductorSettings))
    samples = read_audio_file(speech)[: 7680 * blocks]
    frames = []
    for number, sound in enumerate(np.split(samples, blocks)):
        if number in changes:
            pipeline.set_prompt(encoder.encode(changes[number]))
        frames.append(pipeline.render_block(sound))
    return np.concatenate(frames)
