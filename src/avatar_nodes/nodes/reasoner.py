"""Thinks: from what the visitor said to what the avatar says and does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from std_srvs.srv import Trigger

from avatar_msgs.msg import AvatarState, TurnControl, Utterance
from avatar_msgs.msg import Intent as IntentMsg
from avatar_msgs.srv import SetPersona
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.mind.backends import build_reasoner
from avatar_nodes.mind.persona_file import PersonaError, load_listed, load_persona
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Intention, Reasoner
from avatar_nodes.mind.reply import Segment
from avatar_nodes.mind.reply_runner import ReplyRunner
from avatar_nodes.mind.settings import ReasonerSettings
from avatar_nodes.mind.utterance_parts import Span
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.nodes.base.turns import check_turn
from avatar_nodes.wire import topics
from avatar_nodes.wire.limits import text_of
from avatar_nodes.wire.persona import persona_to_msg
from avatar_nodes.wire.reply import segment_to_msg
from avatar_nodes.wire.stamp import nanoseconds

_STATES = {
    AvatarState.IDLE: "idle",
    AvatarState.LISTENING: "listening",
    AvatarState.THINKING: "thinking",
    AvatarState.SPEAKING: "speaking",
}


class ReasonerNode(AvatarNode[ReasonerSettings]):
    """`user/utterance`, `turn/control` and `state` in; `intent`, `reply` and `persona` out;
    services `reasoner/forget` (the dialogue), `reasoner/reset` (that, and whatever is being
    answered) and `reasoner/set_persona`."""

    KIND = "reasoner"

    def setup(self) -> None:
        self._state = AvatarState()
        self._complained = 0
        self._intent_out = self.publisher(topics.INTENT)
        self._reply_out = self.publisher(topics.REPLY)
        self._persona_out = self.publisher(topics.PERSONA)
        self._be(self.settings.persona)
        self._change: threading.Thread | None = None
        """Makes another persona ready."""
        for name in ("fallbacks", "problem/timeout", "cancelled"):
            self.telemetry.count(name, 0)

    def adapt(self, before: ReasonerSettings) -> None:
        if runner := getattr(self, "_runner", None):
            runner.adapt(
                min_confidence=self.settings.min_confidence,
                forget_after_s=self.settings.forget_after_s,
            )

    def start(self) -> None:
        self.listen(topics.UTTERANCE, self._on_utterance)
        self.listen(topics.TURN_CONTROL, self._on_control)
        self.listen(topics.STATE, self._on_state)
        self.serve(topics.FORGET, self._on_forget)
        self.serve(topics.RESET_REASONER, self._on_reset)
        self.serve(topics.SET_PERSONA, self._on_set_persona)
        self._tell_persona()
        self.heartbeat.say(ready=True, detail=f"{self.settings.backend}: waiting for words")

    def stop(self) -> None:
        self._change = None
        self._runner.reset()

    def teardown(self) -> None:
        if runner := getattr(self, "_runner", None):
            runner.close()
        if reasoner := getattr(self, "_reasoner", None):
            reasoner.close()

    def intend(self, turn: int, intention: Intention) -> None:
        """ReplyOutput: how the avatar moves."""
        msg = IntentMsg(
            turn=turn,
            action_prompt=intention.action_prompt,
            stable_prompt=intention.stable_prompt,
            action_duration=intention.seconds,
        )
        msg.header.stamp = self.get_clock().now().to_msg()
        self._intent_out.publish(msg)
        self.telemetry.output()

    def speak(self, segment: Segment) -> None:
        """ReplyOutput: the next sentence."""
        if segment.is_last and not segment.cancelled and segment.turn != self._complained:
            self.heartbeat.say(trouble=False, detail=f"turn {segment.turn}: answered")
        msg = segment_to_msg(segment, language=self._persona.language)
        msg.header.stamp = self.get_clock().now().to_msg()
        self._reply_out.publish(msg)
        self.telemetry.output()

    def complain(self, turn: int, problem: str, detail: str) -> None:
        """ReplyOutput: what went wrong."""
        self._complained = turn
        self.heartbeat.say(trouble=True, detail=f"turn {turn}: {problem}: {detail}")
        self.get_logger().warning(f"turn {turn}: {problem}: {detail}")

    def _be(self, name: str) -> None:
        """The first persona, by name or file.

        Raises PersonaError, ReasonerError, EmbeddingError.
        """
        phrasebook = Phrasebook(load_persona(name), seed=self.settings.seed)
        self._name, self._persona = name, phrasebook.persona
        self._reasoner = build_reasoner(self.settings, phrasebook)
        self._runner = ReplyRunner(
            self._reasoner,
            phrasebook,
            self,
            self.telemetry,
            dialogue_turns=self.settings.dialogue_turns,
            min_confidence=self.settings.min_confidence,
            forget_after_s=self.settings.forget_after_s,
            join_s=self.settings.join_s,
        )

    def _tell_persona(self) -> None:
        self._persona_out.publish(persona_to_msg(self._name, self._persona))

    def _on_utterance(self, msg: Utterance) -> None:
        if not msg.is_final or not msg.turn:  # the conductor numbers what has no number
            return
        check_turn(msg.turn)
        self.note_hop(msg.header.stamp)
        if self._talks_over(msg.turn) and not self.settings.barge_in:
            self.telemetry.count("overheard")
            return
        self._runner.hear(
            msg.turn,
            text_of(msg.text),
            span=_span(msg),
            confidence=msg.confidence,
            state=_STATES.get(self._state.state, ""),
            busy=self._talks_over(msg.turn),
        )

    def _talks_over(self, turn: int) -> bool:
        """The avatar is busy with another turn, or with what it says on its own (turn 0), and the
        end of it was not heard yet."""
        return bool(self._state.replying and self._state.turn != turn)

    def _on_control(self, msg: TurnControl) -> None:
        # Also of turn 0, what the avatar says on its own: what holds it may have been a cough.
        if msg.command == TurnControl.PAUSE:
            self._runner.pause(msg.turn)
        elif msg.command == TurnControl.RESUME:
            self._runner.resume(msg.turn)
        elif msg.command == TurnControl.CANCEL:
            self._runner.cancel(msg.turn)
        else:
            raise RefusedError("command", f"unknown command {msg.command}")

    def _on_state(self, msg: AvatarState) -> None:
        self._state = msg

    def _on_forget(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._runner.forget()
        response.success, response.message = True, "the dialogue is forgotten"
        return response

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._runner.reset()
        response.success, response.message = True, "everything is forgotten"
        return response

    def _on_set_persona(
        self, request: SetPersona.Request, response: SetPersona.Response
    ) -> SetPersona.Response:
        if self.settings.backend == "transformers":
            response.message = "a local chat model is loaded for one persona: start the avatar anew"
            return response
        if self._change is not None:
            response.message = "another persona is being made ready: ask again when it is there"
            return response
        try:
            persona = load_listed(request.persona, self.settings.persona)
            phrasebook = Phrasebook(persona, seed=self.settings.seed)
        except PersonaError as error:
            response.message = str(error).replace("\n", "; ")
            if any(problem.file for problem in error.problems):
                # What a file holds is for those who may read the log.
                self.get_logger().warning(response.message)
                problems = len(error.problems)
                response.message = f"persona {request.persona}: {problems} problems, see the log"
            return response
        name = phrasebook.persona.name
        self._change = threading.Thread(
            target=self._make_ready, args=(request.persona, phrasebook), name="persona", daemon=True
        )
        self._change.start()
        response.success, response.message = True, f"{name} will answer in a few seconds"
        return response

    def _make_ready(self, name: str, phrasebook: Phrasebook) -> None:
        """On a thread of its own, for it takes seconds; the node's own thread does the rest."""
        change, before = threading.current_thread(), self._reasoner
        try:
            reasoner = build_reasoner(self.settings, phrasebook, before)
        except Exception as error:
            detail = str(error).replace("\n", "; ") or type(error).__name__
            self._soon(partial(self._stay, change, name, detail))
        else:
            self._soon(partial(self._become, change, name, phrasebook, reasoner))

    def _soon(self, callback: Callable[[], None]) -> None:
        guarded = self._guarded("set_persona", lambda _: callback())
        if self.executor is not None:
            self.executor.create_task(lambda: guarded(None))

    def _become(
        self, change: threading.Thread, name: str, phrasebook: Phrasebook, reasoner: Reasoner
    ) -> None:
        if change is not self._change:  # the node was deactivated meanwhile
            reasoner.close()
            return
        before, self._change = self._reasoner, None
        self._runner.become(reasoner, phrasebook)
        self._name, self._persona, self._reasoner = name, phrasebook.persona, reasoner
        threading.Thread(target=before.close, name="persona before", daemon=True).start()
        self._tell_persona()
        self.get_logger().info(f"persona {name}: {self._persona.name}")

    def _stay(self, change: threading.Thread, name: str, detail: str) -> None:
        if change is self._change:
            self._change = None
            self.heartbeat.say(trouble=True, detail=f"persona {name}: {detail}")
            self.get_logger().warning(f"persona {name}: {detail}; {self._persona.name} stays")


def _span(msg: Utterance) -> Span | None:
    """When it was spoken; what was written has no length."""
    start, end = nanoseconds(msg.start), nanoseconds(msg.end)
    return Span(start / 1e9, end / 1e9) if start < end else None


def main() -> None:
    """Run the node as a process."""
    main_of(ReasonerNode)


if __name__ == "__main__":
    main()
