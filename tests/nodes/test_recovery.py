"""Kill -9 any one node in mid-speech: the stream goes on from where it stopped, the others stay."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
from support.graph_under_test import GraphUnderTest, Listener
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import write_tiny_profile

from avatar_nodes.graph.graph import Graph
from avatar_nodes.profile import load_profile, with_values
from avatar_nodes.sound.audio_file import read_audio_file

NODES = [
    "denoiser_2", "conductor", "decoder", "memory", "microphone", "denoiser_1", "presenter",
]  # fmt: skip
BLOCK, FRAME = 7680, 640


def test_every_node_may_die(
    remembering: Path,
    long_speech: Path,
    tmp_path: Path,
    processes: ProcessGroup,
    spinner: Spinner,
) -> None:
    file = write_tiny_profile(tmp_path, remembering)
    profile = with_values(load_profile(str(file)), {"memory": {"enabled": True}})
    graph = Graph.from_profile(profile, mode="puppet", audio=long_speech)
    listener = Listener(spinner, graph.namespace)
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start()
    _wait_for_blocks(listener, 3)
    for name in NODES:
        _accident(name, running, listener)
    _check_stream(listener, read_audio_file(long_speech))


def _accident(name: str, running: GraphUnderTest, listener: Listener) -> None:
    """Kill one node, start it again, and see the stream go on while the others stay."""
    others = {node: list(ids) for node, ids in listener.instances.items() if node != name}
    known = len(listener.instances[name])
    running.kill(name)
    began = time.monotonic()
    running.start_again(name)
    wait_until(lambda: len(listener.instances[name]) > known, what=f"{name} again")
    _wait_for_blocks(listener, 3)
    print(f"{name}: 3 blocks more after {time.monotonic() - began:.1f} s")
    assert {node: listener.instances[node] for node in others} == others, running.logs()


def _wait_for_blocks(listener: Listener, count: int) -> None:
    """Until `count` more blocks were presented."""
    have = len(listener.presented)
    wait_until(lambda: len(listener.presented) >= have + count, what=f"{count} more blocks")


def _check_stream(listener: Listener, speech: np.ndarray) -> None:
    """No block was left out, no sound was lost but what a presenter took with it, none came
    twice."""
    blocks = [msg.block for msg in listener.presented]
    epochs = [msg.epoch for msg in listener.presented]
    assert epochs == sorted(epochs)
    assert all(after - before <= 1 for before, after in itertools.pairwise(blocks)), blocks
    for before, after in itertools.pairwise(listener.presented):
        if after.block == before.block + 1:
            assert after.sound.first_sample == before.next_sample, "samples were lost"
    said = _without_silence(speech)
    heard = _without_silence(np.concatenate(listener.sound))
    assert len(heard) > 100 * FRAME
    whole = _equal_at_the_start(heard, said)
    if whole < len(heard):
        lost = _place(heard[whole : whole + FRAME], said[whole:])
        assert 0 < lost <= BLOCK + FRAME, "sound came twice, or more was lost than one block"
        rest = heard[whole:]
        assert np.array_equal(rest, said[whole + lost :][: len(rest)]), "sound was lost twice"


def _without_silence(sound: np.ndarray) -> np.ndarray:
    """The samples that are not zero: pauses that the graph has put in are gone."""
    return sound[sound != 0]


def _equal_at_the_start(a: np.ndarray, b: np.ndarray) -> int:
    """How many samples `a` begins with as `b` does."""
    count = min(len(a), len(b))
    different = np.flatnonzero(a[:count] != b[:count])
    return int(different[0]) if len(different) else count


def _place(part: np.ndarray, whole: np.ndarray) -> int:
    """Index of `part` in `whole`; -1: it is not there."""
    found = whole.tobytes().find(part.tobytes())
    return found // 2 if found % 2 == 0 else -1
