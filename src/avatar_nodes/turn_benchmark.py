"""How soon the avatar answers, and how soon it stops: scripted turns and interruptions.

All times are read from stamps: of capture, of decisions, of presentation. The visitor is made of
sound files; the graph is the real one, in real time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from avatar_msgs.msg import AvatarState, TurnControl
from avatar_nodes.graph import Graph
from avatar_nodes.graph_runner import GraphRunner
from avatar_nodes.scripted_conversation import TOPIC
from avatar_nodes.speech.turn_timeline import TurnTimeline
from avatar_nodes.turn_witness import TurnWitness
from avatar_nodes.virtual_visitor import VirtualVisitor, VisitorError

_DONE = "all turns were taken"
_PATIENCE_S = 60.0
_PAUSE_S = 1.0
_INTERRUPT_AFTER_S = 1.0


@dataclass
class TurnFigures:
    """What a run gave, turn by turn; seconds."""

    timelines: list[TurnTimeline] = field(default_factory=list)
    sound_stops_s: list[float] = field(default_factory=list)
    """From the decision that the visitor speaks to the last sound of the reply."""
    mouth_stops_s: list[float] = field(default_factory=list)
    """From there to the first frame that was made in silence."""
    prompt_to_action_s: list[float] = field(default_factory=list)
    """From the intent to the first frame under its prompt."""
    stuck: int = 0
    """Turns after which the avatar did not come back to rest in time."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; null where nothing was measured."""
        answered = [t.durations() for t in self.timelines]
        sound = [d["to_first_sound"] for d in answered if "to_first_sound" in d]
        frame = [d["to_first_frame"] for d in answered if "to_first_frame" in d]
        parts = sorted({name for d in answered for name in d})
        stops_ms = [1000.0 * s for s in self.sound_stops_s]
        return {
            "turns": len(self.timelines),
            "answered": len(frame),
            "interruptions": len(self.sound_stops_s),
            "stuck": self.stuck,
            "first_sound_s_p50": _quantile(sound, 50),
            "first_sound_s_p90": _quantile(sound, 90),
            "first_frame_s_p50": _quantile(frame, 50),
            "first_frame_s_p90": _quantile(frame, 90),
            "barge_in_sound_ms_p50": _quantile(stops_ms, 50),
            "barge_in_sound_ms_max": max(stops_ms, default=None),
            "barge_in_mouth_s_p50": _quantile(self.mouth_stops_s, 50),
            "prompt_to_action_s_p50": _quantile(self.prompt_to_action_s, 50),
            "parts_s_p50": {
                name: _quantile([d[name] for d in answered if name in d], 50) for name in parts
            },
        }


def _quantile(values: Sequence[float], percent: int) -> float | None:
    return round(float(np.percentile(values, percent)), 4) if values else None


class TurnBenchmark:
    """Runs a graph in mode converse through `turns` turns, every `interrupt_every`-th cut short.

    graph: made with audio `topic:visitor_audio`. questions: int16 [n] at 16 kHz, one after the
    other, again and again.
    """

    def __init__(
        self, graph: Graph, questions: Sequence[np.ndarray], *, turns: int, interrupt_every: int,
        tell: Callable[[str], None], **runner: Any,
    ) -> None:  # fmt: skip
        self._graph = graph
        self._questions = questions
        self._turns = turns
        self._interrupt_every = interrupt_every
        self._tell = tell
        self._figures = TurnFigures()
        self._problem = ""
        self._runner = GraphRunner(graph, on_ready=self._begin, **runner)
        self._thread = threading.Thread(target=self._visit, name="visit", daemon=True)

    def run(self) -> TurnFigures:
        """Raises VisitorError: the graph did not start, or ended before the last turn."""
        outcome = self._runner.run()
        if self._thread.is_alive():
            self._thread.join()
        if self._problem or outcome.reason != _DONE:
            raise VisitorError(self._problem or outcome.reason)
        return self._figures

    def _begin(self) -> None:
        self._thread.start()

    def _visit(self) -> None:
        try:
            with (
                VirtualVisitor(self._graph.namespace, topic=TOPIC) as visitor,
                TurnWitness(self._graph.namespace) as witness,
            ):
                visitor.wait_for_state(AvatarState.IDLE, _PATIENCE_S)
                for number in range(self._turns):
                    self._take_turn(number, visitor)
                visitor.pause(2.0)
                self._figures.timelines = list(visitor.timelines.values())
                self._read(witness)
        except VisitorError as error:
            self._problem = str(error)
        finally:
            self._runner.stop(_DONE)

    def _take_turn(self, number: int, visitor: VirtualVisitor) -> None:
        visitor.pause(_PAUSE_S)
        question = self._questions[number % len(self._questions)]
        interrupts = self._interrupt_every > 0 and number % self._interrupt_every == (
            self._interrupt_every - 1
        )
        try:
            visitor.say(question)
            visitor.wait_for_state(AvatarState.SPEAKING, _PATIENCE_S)
            if interrupts:
                visitor.pause(_INTERRUPT_AFTER_S)
                visitor.say(question)
                visitor.wait_for_state(AvatarState.LISTENING, _PATIENCE_S)
            visitor.wait_for_state(AvatarState.IDLE, _PATIENCE_S)
        except VisitorError as error:
            resting = visitor.state is not None and visitor.state.state == AvatarState.IDLE
            self._figures.stuck += not resting
            self._tell(f"turn {number + 1}: {'not answered' if resting else 'stuck'}: {error}")
            return
        self._tell(f"turn {number + 1}/{self._turns}" + (", interrupted" if interrupts else ""))

    def _read(self, witness: TurnWitness) -> None:
        """Interruptions and gestures, from what was seen."""
        figures = self._figures
        for control in witness.controls:
            if control.command == TurnControl.PAUSE and (cut := witness.cut(control)) is not None:
                figures.sound_stops_s.append(cut.sound_s)
                figures.mouth_stops_s.append(cut.mouth_s)
        figures.prompt_to_action_s = witness.prompt_to_action_s()
