"""Kills one process after the other while the avatar speaks, and watches what is seen and heard."""

from __future__ import annotations

import os
import signal
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sensor_msgs.msg import Image

from avatar_msgs.action import Say
from avatar_msgs.msg import AudioChunk, AvatarState, StageStatus
from avatar_nodes.bench.restart.figures import Accident, longest_still, speech_lost
from avatar_nodes.client.client_node import ClientNode
from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.process_log import ProcessLog
from avatar_nodes.graph.runner import GraphRunner
from avatar_nodes.machine.process_usage import Memory, memory_of
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.declaration import ANYBODY, WITNESS

if TYPE_CHECKING:
    from typing_extensions import Self

_TEXT = (
    "This is a long sentence which the avatar speaks while somebody pulls out a plug. The next one"
    " is about the weather, which is fine today, although it may rain in the evening. After that"
    " comes a sentence with many numbers: one, two, three, four, five, six, seven and eight. And"
    " the last one says that nothing of all this was lost."
)
_DONE = "every process was killed"
_POLL_S = 0.005
_PATIENCE_S = 120.0
_SPOKEN_S = 1.5
_SILENT_S = 3.0
_SETTLE_S = 1.0
_AFTER_S = 3.0
"""The picture is watched for so long from the new epoch on, and until it moves."""


class RestartError(RuntimeError):
    """The avatar did not come back, or did not start; one line."""


class _Onlooker(ClientNode):
    """Notes when the picture changes, what is said and heard, and signs of life."""

    def __init__(self, namespace: str) -> None:
        super().__init__("onlooker", namespace)
        self.changes: list[float] = []
        self.heard: list[np.ndarray] = []
        self.said: dict[str, dict[int, np.ndarray]] = {}
        self.sounded = 0.0
        """When something was heard last."""
        self.state: AvatarState | None = None
        self.epochs: dict[int, float] = {}
        self.lives: dict[str, dict[str, dict[str, float]]] = {}
        """When each instance of a node was first heard of, and first active."""
        self._picture = 0
        self._going: list[Any] = []

    def __enter__(self) -> Self:
        super().__enter__()
        for topic, callback in (
            (topics.IMAGE_RAW, self._on_image),
            (topics.AUDIO, self._on_audio),
            (topics.SPEECH_AUDIO, self._on_speech),
            (topics.STATE, self._on_state),
            (topics.STAGES, self._on_status),
        ):
            topic.subscribe(self.node, WITNESS, callback)
        self._say = topics.SAY.client(self.node, ANYBODY)
        self.spin_in_background()
        return self

    def __exit__(self, *error: Any) -> None:
        self._say.destroy()
        super().__exit__(*error)

    def let_say(self, text: str) -> None:
        """Nobody waits for the result: the conductor that owes it may die."""
        self.heard.clear()
        self.said.clear()
        self._going.append(self._say.send_goal_async(Say.Goal(text=text)))

    @property
    def can_ask(self) -> bool:
        return self._say.server_is_ready()

    def speech(self) -> np.ndarray:
        """What was said, int16 [n]: each stream once, though a part of it may have come again."""
        streams = [
            np.concatenate([chunks[first] for first in sorted(chunks)])
            for chunks in self.said.values()
        ]
        return np.concatenate([np.zeros(0, np.int16), *streams])

    def _on_image(self, msg: Image) -> None:
        picture = zlib.crc32(msg.data)
        if picture != self._picture:
            self._picture = picture
            self.changes.append(time.monotonic())

    def _on_audio(self, msg: AudioChunk) -> None:
        samples = audio_from_msg(msg)
        self.heard.append(samples)
        if samples.any():
            self.sounded = time.monotonic()

    def _on_speech(self, msg: AudioChunk) -> None:
        self.said.setdefault(msg.stream, {}).setdefault(msg.first_sample, audio_from_msg(msg))

    def _on_state(self, msg: AvatarState) -> None:
        self.state = msg
        self.epochs.setdefault(msg.epoch, time.monotonic())

    def _on_status(self, msg: StageStatus) -> None:
        life = self.lives.setdefault(msg.name, {}).setdefault(msg.instance, {})
        life.setdefault("alive", time.monotonic())
        if msg.ready or msg.detail.startswith(("waiting for", "conducting")):
            life.setdefault("active", time.monotonic())


class RestartBenchmark:
    """One run of a conversing graph.

    kills: of each of `stations`, names of nodes. on_accident: called with each.
    """

    def __init__(
        self, graph: Graph, *, stations: list[str], kills: int, log: ProcessLog | None = None,
        on_accident: Callable[[Accident], None] = lambda accident: None,
    ) -> None:  # fmt: skip
        self._graph = graph
        self._stations = [station for _ in range(kills) for station in stations]
        self._homes = {node.name: node.process for node in graph.nodes}
        self._on_accident = on_accident
        self._problem = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="accidents", daemon=True)
        self._runner = GraphRunner(
            graph, log_level="warn", log=log, own_namespace=True, on_ready=self._thread.start
        )
        self.accidents: list[Accident] = []
        self.memory: Mapping[str, Memory] = {}
        """Of each process, when all of them had worked."""

    def run(self) -> None:
        """Until every station was killed as often as is wanted.

        Raises:
            RestartError: the graph did not start, or did not come back.
        """
        outcome = self._runner.run()
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._problem or outcome.reason != _DONE:
            raise RestartError(self._problem or outcome.reason)

    @property
    def _pids(self) -> Mapping[str, int]:
        supervisor = self._runner.supervisor
        return {} if supervisor is None else supervisor.pids

    @property
    def _with_spare(self) -> Mapping[str, int]:
        spare = self._runner.spare
        pid = None if spare is None else spare.pid
        return self._pids if pid is None else {**self._pids, "spare": pid}

    def _work(self) -> None:
        try:
            with _Onlooker(self._graph.namespace) as onlooker:
                for number, station in enumerate(self._stations):
                    self._calm(onlooker)
                    if not number:
                        self.memory = memory_of(self._with_spare)
                    accident = self._accident(onlooker, station)
                    self.accidents.append(accident)
                    self._on_accident(accident)
        except RestartError as error:
            self._problem = str(error)
        self._runner.stop(_DONE)

    def _calm(self, onlooker: _Onlooker) -> None:
        """Until nothing is said and the picture moves."""

        def calm() -> bool:
            now, state = time.monotonic(), onlooker.state
            moves = bool(onlooker.changes) and now - onlooker.changes[-1] < _SETTLE_S
            silent = now - onlooker.sounded > _SILENT_S
            return moves and silent and state is not None and not state.replying

        self._wait(calm, "the avatar is calm")
        time.sleep(_SETTLE_S)
        self._wait(lambda: onlooker.can_ask, "it takes requests")
        if (spare := self._runner.spare) is not None:
            self._wait(lambda: spare.ready, "a spare process is ready")

    def _accident(self, onlooker: _Onlooker, station: str) -> Accident:
        begun = time.monotonic()
        onlooker.let_say(_TEXT)
        self._wait(lambda: onlooker.sounded > begun, "it speaks")
        time.sleep(_SPOKEN_S)
        home, epoch = self._homes[station], max(onlooker.epochs)
        pid, known = self._pids[home], set(onlooker.lives[station])
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        self._wait(lambda: self._pids.get(home, pid) != pid, f"{home} is started again")
        at_s = {"started": time.monotonic() - killed}
        self._wait(lambda: max(onlooker.epochs) > epoch, f"an epoch after {station}")
        at_s["epoch"] = onlooker.epochs[max(onlooker.epochs)] - killed
        self._wait(
            lambda: onlooker.changes[-1] > killed + at_s["epoch"], f"a picture after {station}"
        )
        self._calm(onlooker)
        window_s = at_s["epoch"] + _AFTER_S
        still_s, moved = longest_still(onlooker.changes, killed, killed + window_s)
        at_s["moves"] = moved - killed
        for instance, life in onlooker.lives[station].items():
            if instance not in known:
                at_s |= {phase: at - killed for phase, at in life.items()}
        rate = self._graph.profile.audio.sample_rate
        said, heard = onlooker.speech(), np.concatenate(onlooker.heard)
        lost, doubled = speech_lost(said, heard, least=rate // 100)
        return Accident(station, at_s, still_s, len(said) / rate, lost / rate, doubled / rate)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not condition():
            if self._over.is_set():
                raise RestartError("the run was broken off")
            if time.monotonic() > deadline:
                raise RestartError(f"not within {_PATIENCE_S:g} s: {what}")
            time.sleep(_POLL_S)
