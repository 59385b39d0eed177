"""Measures in scripted turns how soon the avatar answers and stops, and if it ever gets stuck.

All times are read from stamps: of capture, of decisions, of presentation. The visitor speaks from
sound files; the graph is the real one, in real time.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from avatar_msgs.msg import AvatarState
from avatar_nodes.bench.turn.figures import TurnFigures
from avatar_nodes.bench.turn.mouth_watch import MouthWatch
from avatar_nodes.bench.turn.script import Step, StepKind
from avatar_nodes.bench.turn.steps import PATIENCE_S, TurnSteps
from avatar_nodes.bench.turn.witness import REPLY_WENT_ON, TurnWitness
from avatar_nodes.client.operator import VirtualOperator
from avatar_nodes.client.scripted_conversation import TOPIC
from avatar_nodes.client.visitor import VirtualVisitor, VisitBrokenOffError, VisitorError
from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.runner import GraphRunner
from avatar_nodes.machine.process_usage import resident_mib

_DONE = "all turns were taken"
_STOPPED = "stopped by "
_PAUSE_S = 1.0
_REST_S = 1.0


class TurnBenchmark:
    """Runs a graph in mode converse and takes the steps of a script with it.

    graph: made by `visited_graph`. questions: int16 [n] at 16 kHz, one after the other, again and
    again. pictures, mouth: see `TurnWitness`. visitor: who speaks, if it is not to be one that is
    heard by a topic. seconds: after so long no further step is taken. beside: entered with the
    running graph while steps are taken.
    """

    def __init__(
        self, graph: Graph, questions: Sequence[np.ndarray], steps: Sequence[Step], *,
        tell: Callable[[str], None], pictures: bool = False, mouth: MouthWatch | None = None,
        visitor: VirtualVisitor | None = None, seconds: float = math.inf,
        beside: Callable[[GraphRunner], AbstractContextManager[object]] = nullcontext,
        **runner: Any,
    ) -> None:  # fmt: skip
        self._questions = questions
        self._steps = steps
        self._tell = tell
        self._figures = TurnFigures(complete=False)
        self._begun_s = 0.0
        self._problem = ""
        self._seconds, self._beside = seconds, beside
        self._visitor = visitor or VirtualVisitor(graph.namespace, topic=TOPIC)
        self._witness = TurnWitness(
            graph.namespace, pictures=pictures, mouth=mouth,
            margin_s=graph.profile.stream.margin_s, timing=graph.profile.timing,
        )  # fmt: skip
        self._runner = GraphRunner(graph, on_ready=self._begin, **runner)
        self._thread = threading.Thread(target=self._visit, name="visit", daemon=True)

    def run(self) -> TurnFigures:
        """Run to the last step, or until SIGINT or SIGTERM, which leaves the figures so far.

        Raises:
            VisitorError: the graph did not start, or ended before the last step.
        """
        outcome = self._runner.run()
        self._visitor.break_off()
        if self._thread.is_alive():
            self._thread.join()
        stopped = outcome.reason.startswith(_STOPPED) and self._figures.memory.samples
        if self._problem or not (outcome.reason == _DONE or stopped):
            raise VisitorError(self._problem or outcome.reason)
        return self._figures

    def _begin(self) -> None:
        self._thread.start()

    def _visit(self) -> None:
        try:
            with self._visitor, self._witness, self._beside(self._runner):
                self._take_steps()
                self._read()
        except VisitBrokenOffError:
            pass  # before the first step
        except VisitorError as error:
            self._problem = str(error)
        finally:
            self._runner.stop(_DONE)

    def _take_steps(self) -> None:
        visitor, figures = self._visitor, self._figures
        operator = VirtualOperator(visitor)
        self._taker = TurnSteps(visitor, self._witness, operator, self._questions)
        try:
            visitor.wait_for_state(AvatarState.IDLE, PATIENCE_S)
            self._begun_s = time.monotonic()
            self._note_memory()
            for count, step in enumerate(self._steps, start=1):
                if time.monotonic() - self._begun_s > self._seconds:
                    break
                outcome = self._take(step)
                self._tell(f"{count}/{len(self._steps)} {step.kind.value}: {outcome}")
                figures.steps[step.kind.value] += 1
                self._note_memory()
            visitor.pause(2.0)
            figures.complete = True
        except VisitBrokenOffError:
            self._tell("stopped: the figures are those of the steps so far")
        finally:
            operator.close()

    def _take(self, step: Step) -> str:
        """Take one step, and wait until the avatar rests; returns how it went."""
        visitor, figures = self._visitor, self._figures
        outcome = "well"
        begun = time.time_ns()
        try:
            visitor.pause(_PAUSE_S)
            outcome, refused = self._taker.take(step)
            figures.refused += refused
        except VisitBrokenOffError:
            raise
        except VisitorError as error:
            figures.unanswered += 1
            outcome = f"not answered: {error}"
        try:
            self._rest()
        except VisitBrokenOffError:
            raise
        except VisitorError as error:
            figures.stuck += 1
            return f"stuck: {error}"
        if step.kind is StepKind.COUGH and outcome == "well":
            became = self._witness.became(self._taker.coughs[-1], time.time_ns())
            figures.coughs[became] += 1
            outcome = outcome if became in REPLY_WENT_ON else f"the reply was {became}"
        rest = self._witness.rest(list(visitor.spoken), begun, time.time_ns())
        figures.rests.append(rest)
        if rest.stuck:
            figures.stuck += 1
            outcome = (
                f"stuck for a while: nobody was heard for {rest.waited_s:.1f} s; for a visitor it"
                f" listened for {rest.alone_s:.1f} s in vain; {outcome}"
            )
        return outcome

    def _rest(self) -> None:
        """Wait until the avatar was idle for a while. Raises VisitorError."""
        visitor = self._visitor
        deadline = time.monotonic() + PATIENCE_S
        visitor.wait_for("the visitor's last word", lambda: not visitor.speaking, PATIENCE_S)
        while True:
            left = deadline - time.monotonic()
            if left < 0.0:
                raise VisitorError(f"no rest within {PATIENCE_S:g} s")
            visitor.wait_for("the words of his turn", lambda: visitor.understood, left)
            visitor.wait_for_state(AvatarState.IDLE, left)
            changes = visitor.states
            visitor.pause(_REST_S)
            if visitor.states == changes and not visitor.noticed and visitor.understood:
                return

    def _note_memory(self) -> None:
        if supervisor := self._runner.supervisor:
            elapsed_s = time.monotonic() - self._begun_s
            self._figures.memory.note(elapsed_s, resident_mib(supervisor.pids))
            self._figures.restarts = sum(supervisor.restarts.values())

    def _read(self) -> None:
        """Read the witness's figures from the first step to the last."""
        figures, witness, taken = self._figures, self._witness, self._taker.barge_ins
        figures.timelines = list(self._visitor.timelines.values())
        figures.cuts = witness.cuts()
        figures.pipeline_s = witness.pipeline_s
        figures.leaks = witness.leaks()
        figures.ignored = witness.ignored()
        figures.watchdogs = witness.watchdogs
        figures.barge_ins = [(meant, witness.barge_in(ns)) for meant, ns in taken]
        figures.prompt_to_action_s = witness.prompt_to_action_s()
        figures.sync = witness.sync()
