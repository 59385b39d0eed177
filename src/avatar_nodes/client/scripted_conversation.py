"""Lets a visitor from sound files hold a conversation: one question after another is answered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avatar_msgs.msg import AvatarState
from avatar_nodes.client.visitor import VirtualVisitor, VisitorError
from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.runner import GraphRunner
from avatar_nodes.profile import Profile, with_values
from avatar_nodes.sound.audio_file import read_audio_file
from avatar_nodes.timeline.turn_timeline import TurnTimeline

TOPIC = "visitor_audio"
_DONE = "the visitor has left"
_PATIENCE_S = 60.0


def visited_graph(profile: Profile, *, namespace: str, **options: Any) -> Graph:
    """The graph for a `VirtualVisitor` to talk to; options are those of `Graph.from_profile`.

    The visitor's sound has no echo of the avatar, like that of a headset, so the canceller is off:
    used all the same, it removes the visitor's own first words while the avatar is heard.
    """
    return Graph.from_profile(
        with_values(profile, {"listener": {"echo": "none"}}),
        mode="converse",
        namespace=namespace,
        audio=f"topic:{TOPIC}",
        **options,
    )


class ScriptedConversation:
    """Runs a graph in mode converse and lets a visitor speak to it.

    graph: hears the topic `TOPIC`, see `visited_graph`. on_line: called with who says what.
    pause_s: silence before each question. at_end: called after the last answer with the process ids
    of the graph, which is still up, by the processes' names.
    """

    def __init__(
        self, graph: Graph, questions: Sequence[Path], *, on_line: Callable[[str, str], None],
        pause_s: float = 1.5, at_end: Callable[[Mapping[str, int]], None] = lambda pids: None,
        **runner: Any,
    ) -> None:  # fmt: skip
        """Raises AudioFileError."""
        self._graph = graph
        self._questions = [read_audio_file(file) for file in questions]
        self._on_line = on_line
        self._pause_s = pause_s
        self._at_end = at_end
        self._problem = ""
        self.timelines: list[TurnTimeline] = []
        """The timeline of every turn, after `run`."""
        self._runner = GraphRunner(graph, on_ready=self._begin, **runner)
        self._thread = threading.Thread(target=self._visit, name="visit", daemon=True)

    def run(self) -> None:
        """Until the last question was answered.

        Raises:
            VisitorError: the graph did not start, or a question was not answered in time.
        """
        outcome = self._runner.run()
        if self._thread.is_alive():
            self._thread.join()
        if self._problem or outcome.reason != _DONE:
            raise VisitorError(self._problem or outcome.reason)

    def _begin(self) -> None:
        self._thread.start()

    def _visit(self) -> None:
        try:
            with VirtualVisitor(self._graph.namespace, topic=TOPIC) as visitor:
                visitor.on_line = self._on_line
                for samples in self._questions:
                    self._ask(visitor, samples)
                visitor.pause(self._pause_s)
                self.timelines = list(visitor.timelines.values())
                if supervisor := self._runner.supervisor:
                    self._at_end(supervisor.pids)
        except VisitorError as error:
            self._problem = str(error)
        finally:
            self._runner.stop(_DONE)

    def _ask(self, visitor: VirtualVisitor, samples: np.ndarray) -> None:
        """Say it, and hear the answer to its end: states are told with the blocks that are issued,
        which are heard some time later."""
        visitor.wait_for_state(AvatarState.IDLE, _PATIENCE_S)
        visitor.pause(self._pause_s)
        over = visitor.turns_over
        visitor.say(samples)
        visitor.wait_for_state(AvatarState.SPEAKING, _PATIENCE_S)
        visitor.wait_for("the answer's end", lambda: visitor.turns_over > over, _PATIENCE_S)
        visitor.wait_for_state(AvatarState.IDLE, _PATIENCE_S)
