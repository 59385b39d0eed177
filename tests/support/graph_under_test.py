"""A whole graph as processes of a test, and what it publishes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from rclpy.node import Node
from sensor_msgs.msg import Image

from avatar_msgs.msg import AudioChunk, AvatarState, BlockConditioning, StageStatus
from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.process_command import (
    process_command,
    process_environment,
    write_parameters,
)
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.image import image_from_msg
from avatar_nodes.wire.qos import BLOCKS, LATCHED, STAGES, public_qos
from avatar_nodes.wire.stamp import nanoseconds
from support.forked_process import ForkedProcess
from support.process_group import ProcessGroup
from support.spinner import Spinner


class GraphUnderTest:
    """Starts the processes of `graph`; `kill` and `start_again` play the accident and the cure.

    No frame leaves before `readers` subscribers are matched: one that listens before the start
    gets them all.
    """

    def __init__(
        self, graph: Graph, folder: Path, processes: ProcessGroup, *, readers: int = 1
    ) -> None:
        self._graph = graph
        self._processes = processes
        wanted = {f"{graph.namespace}/presenter": {"ros__parameters": {"readers": readers}}}
        (folder / "readers.yaml").write_text(yaml.safe_dump(wanted))
        self._parameters = [write_parameters(graph, folder), folder / "readers.yaml"]
        self._running: dict[str, ForkedProcess] = {}

    @property
    def names(self) -> list[str]:
        return [process.name for process in self._graph.processes]

    def start(self, names: Sequence[str] = ()) -> None:
        """Start the processes named, or all."""
        for process in self._graph.processes:
            if not names or process.name in names:
                self._running[process.name] = self._processes.fork(
                    process_command(self._graph, process, self._parameters),
                    name=process.name,
                    env=process_environment(process),
                )

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until it is gone."""
        self._running[name].kill()
        self._running[name].wait()

    def start_again(self, name: str) -> None:
        self.start([name])

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def exit_code(self, name: str) -> int | None:
        """None while it runs."""
        return self._running[name].poll()

    def logs(self) -> str:
        return "\n".join(f"--- {name}\n{self._processes.log(name)}" for name in self._running)


class Listener:
    """Everything that a graph publishes for the world, and some of what it says within."""

    def __init__(self, spinner: Spinner, namespace: str) -> None:
        node: Node = spinner.create_node("listener", namespace=namespace)
        self.node = node
        self.frames: list[np.ndarray] = []
        self.stamps: list[int] = []
        self.sound: list[np.ndarray] = []
        self.sound_stamps: list[int] = []
        self.ended = False
        self.states: list[AvatarState] = []
        self.presented: list[BlockConditioning] = []
        self.instances: dict[str, list[str]] = {}
        self.status: dict[str, StageStatus] = {}
        subscribe = node.create_subscription
        subscribe(Image, "image_raw", self._on_image, public_qos("RELIABLE"))
        subscribe(AudioChunk, "audio", self._on_audio, public_qos("RELIABLE"))
        subscribe(AvatarState, "state", self.states.append, LATCHED)
        subscribe(StageStatus, "stages", self._on_status, STAGES)
        subscribe(BlockConditioning, "blocks/presented", self.presented.append, BLOCKS)

    @property
    def finished(self) -> bool:
        """All of a stream that ends has arrived."""
        return self.ended and len(self.frames) == len(self.sound)

    def _on_image(self, msg: Image) -> None:
        self.frames.append(image_from_msg(msg))
        self.stamps.append(nanoseconds(msg.header.stamp))

    def _on_audio(self, msg: AudioChunk) -> None:
        self.sound.append(audio_from_msg(msg))
        self.sound_stamps.append(nanoseconds(msg.header.stamp))
        self.ended |= msg.end_of_stream

    def _on_status(self, msg: StageStatus) -> None:
        self.status[msg.name] = msg
        known = self.instances.setdefault(msg.name, [])
        if msg.instance not in known:
            known.append(msg.instance)
