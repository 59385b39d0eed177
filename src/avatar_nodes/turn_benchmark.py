"""How soon the avatar answers, how soon it stops, and whether it ever gets stuck: scripted turns.

All times are read from stamps: of capture, of decisions, of presentation. The visitor is made of
sound files; the graph is the real one, in real time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from avatar_msgs.msg import AvatarState
from avatar_nodes.graph import Graph
from avatar_nodes.graph_runner import GraphRunner
from avatar_nodes.machine.process_usage import resident_mib
from avatar_nodes.mouth_watch import MouthWatch
from avatar_nodes.scripted_conversation import TOPIC
from avatar_nodes.speech.audio_file import GRAPH_RATE
from avatar_nodes.stray_sound import cough, noise, nonsense
from avatar_nodes.turn_figures import TurnFigures
from avatar_nodes.turn_script import BARGE_INS, Step, StepKind
from avatar_nodes.turn_witness import TurnWitness
from avatar_nodes.virtual_operator import VirtualOperator
from avatar_nodes.virtual_visitor import VirtualVisitor, VisitBrokenOffError, VisitorError

_DONE = "all turns were taken"
_STOPPED = "stopped by "
_PATIENCE_S = 60.0
_PAUSE_S = 1.0
_INTERRUPT_AFTER_S = 0.6
_BREATH = np.zeros(GRAPH_RATE // 4, np.int16)
_REST_S = 1.0
_SILENCE_S = 3.0
_SAID = "Welcome to the museum."


class TurnBenchmark:
    """Runs a graph in mode converse and takes the steps of a script with it.

    graph: made by `visited_graph`. questions: int16 [n] at 16 kHz, one after the other, again and
    again. pictures, mouth: see `TurnWitness`.
    """

    def __init__(
        self, graph: Graph, questions: Sequence[np.ndarray], steps: Sequence[Step], *,
        tell: Callable[[str], None], pictures: bool = False, mouth: MouthWatch | None = None,
        **runner: Any,
    ) -> None:  # fmt: skip
        self._questions = questions
        self._steps = steps
        self._tell = tell
        self._figures = TurnFigures(complete=False)
        self._begun: list[tuple[str, int]] = []
        self._problem = ""
        self._visitor = VirtualVisitor(graph.namespace, topic=TOPIC)
        self._witness = TurnWitness(graph.namespace, pictures=pictures, mouth=mouth)
        self._runner = GraphRunner(graph, on_ready=self._begin, **runner)
        self._thread = threading.Thread(target=self._visit, name="visit", daemon=True)

    def run(self) -> TurnFigures:
        """To the last step, or until SIGINT or SIGTERM, with the figures so far.

        Raises:
            VisitorError: the graph did not start, or ended before the last step.
        """
        outcome = self._runner.run()
        self._visitor.break_off()
        if self._thread.is_alive():
            self._thread.join()
        stopped = outcome.reason.startswith(_STOPPED) and self._figures.memory_mib
        if self._problem or not (outcome.reason == _DONE or stopped):
            raise VisitorError(self._problem or outcome.reason)
        return self._figures

    def _begin(self) -> None:
        self._thread.start()

    def _visit(self) -> None:
        try:
            with self._visitor, self._witness:
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
        try:
            visitor.wait_for_state(AvatarState.IDLE, _PATIENCE_S)
            self._note_memory()
            for count, step in enumerate(self._steps, start=1):
                outcome = self._take(step, operator)
                self._tell(f"{count}/{len(self._steps)} {step.kind.value}: {outcome}")
                figures.steps[step.kind.value] += 1
                self._note_memory()
            visitor.pause(2.0)
            figures.complete = True
        except VisitBrokenOffError:
            self._tell("stopped: the figures are those of the steps so far")
        finally:
            operator.close()

    def _take(self, step: Step, operator: VirtualOperator) -> str:
        """Take one step, and wait until the avatar rests; returns how it went."""
        visitor, figures = self._visitor, self._figures
        outcome = "well"
        begun = time.time_ns()
        try:
            visitor.pause(_PAUSE_S)
            outcome = self._do(step, operator)
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
        rest = self._witness.rest(list(visitor.spoken), begun, time.time_ns())
        figures.rests.append(rest)
        if rest.stuck:
            figures.stuck += 1
            outcome = (
                f"stuck for a while: nobody was heard for {rest.waited_s:.1f} s; for a visitor it"
                f" listened for {rest.alone_s:.1f} s in vain; {outcome}"
            )
        return outcome

    def _do(self, step: Step, operator: VirtualOperator) -> str:
        visitor, kind = self._visitor, step.kind
        question = self._questions[step.number % len(self._questions)]
        if kind is StepKind.SILENCE:
            visitor.pause(_SILENCE_S)
        elif kind is StepKind.NOISE:
            visitor.say(noise(step.number))
        elif kind is StepKind.NONSENSE:
            visitor.say(nonsense(step.number))
        elif kind is StepKind.SAY:
            refusal = operator.say(_SAID, timeout_s=_PATIENCE_S)
            self._figures.refused += bool(refusal)
            return f"refused: {refusal}" if refusal else "said"
        elif kind is StepKind.COUGH:
            self._ask(question)
            self._hear_out_the_beginning()
            visitor.say(cough(step.number))
        elif kind is StepKind.QUESTION:
            self._ask(question)
        else:
            self._barge_in(step, question)
        return "well"

    def _ask(self, question: np.ndarray) -> None:
        """Speak, and wait for the first of the answer."""
        self._visitor.say(question)
        self._visitor.wait_for_state(AvatarState.SPEAKING, _PATIENCE_S)

    def _hear_out_the_beginning(self) -> None:
        """Until the answer was audible for a while."""
        visitor, witness = self._visitor, self._witness
        visitor.wait_for("the avatar's voice", lambda: witness.audible, _PATIENCE_S)
        visitor.pause(_INTERRUPT_AFTER_S)

    def _barge_in(self, step: Step, question: np.ndarray) -> None:
        """Bring the avatar into the state, and then speak; the last question wants an answer."""
        visitor = self._visitor
        if step.kind is StepKind.BARGE_IN_SPEAKING:
            self._ask(question)
            self._hear_out_the_beginning()
        elif step.kind is not StepKind.BARGE_IN_IDLE:
            visitor.say(question)
            visitor.wait_for("an ear for the visitor", lambda: visitor.noticed, _PATIENCE_S)
            visitor.wait_for_state(AvatarState.LISTENING, _PATIENCE_S)
            if step.kind is StepKind.BARGE_IN_THINKING:
                # At once after his turn: what he says next comes upon the answer in the making.
                visitor.wait_for("the turn's end", lambda: not visitor.noticed, _PATIENCE_S)
            else:
                question = np.concatenate([_BREATH, question])
        self._begun.append((BARGE_INS[step.kind], time.time_ns()))
        visitor.say(question)
        # Not by the state LISTENING: where blocks are slow, none may show it.
        visitor.wait_for("an ear for the visitor", lambda: visitor.noticed, _PATIENCE_S)
        visitor.wait_for("the turn's end", lambda: not visitor.noticed, _PATIENCE_S)
        visitor.wait_for_state(AvatarState.SPEAKING, _PATIENCE_S)

    def _rest(self) -> None:
        """Until the avatar was idle for a while. Raises VisitorError."""
        visitor = self._visitor
        deadline = time.monotonic() + _PATIENCE_S
        visitor.wait_for("the visitor's last word", lambda: not visitor.speaking, _PATIENCE_S)
        while True:
            left = deadline - time.monotonic()
            if left < 0.0:
                raise VisitorError(f"no rest within {_PATIENCE_S:g} s")
            visitor.wait_for("the words of his turn", lambda: visitor.understood, left)
            visitor.wait_for_state(AvatarState.IDLE, left)
            changes = visitor.states
            visitor.pause(_REST_S)
            if visitor.states == changes and not visitor.noticed and visitor.understood:
                return

    def _note_memory(self) -> None:
        if supervisor := self._runner.supervisor:
            self._figures.memory_mib.append(resident_mib(supervisor.pids))
            self._figures.restarts = sum(supervisor.restarts.values())

    def _read(self) -> None:
        """What was seen from the first step to the last."""
        figures, witness = self._figures, self._witness
        figures.timelines = list(self._visitor.timelines.values())
        figures.cuts = witness.cuts()
        figures.leaked_samples = witness.leaked_samples()
        figures.ignored = witness.ignored()
        figures.watchdogs = witness.watchdogs
        figures.barge_ins = [(meant, witness.barge_in(ns)) for meant, ns in self._begun]
        figures.prompt_to_action_s = witness.prompt_to_action_s()
        if witness.pairing is not None:
            figures.sync = witness.pairing.summary()
