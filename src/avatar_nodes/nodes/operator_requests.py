"""What an operator, or another program, asks of a conversing avatar: to speak, act, stop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from rclpy.action import CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.client import Client
from rclpy.task import Future
from std_srvs.srv import Trigger

from avatar_msgs.action import Perform, Say
from avatar_nodes.conducting.conversation_table import EventKind
from avatar_nodes.conducting.own_speech import OwnSpeech
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.conversation import Conversation
from avatar_nodes.nodes.speech_intake import SpeechIntake
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_from_msg

_FEEDBACK_S = 0.2
_DEFAULT_DURATION_S = 2.88
"""Six blocks: what a gesture takes in the clips that the shipped model learned from."""


def _accept(handle: Any) -> CancelResponse:
    return CancelResponse.ACCEPT


class _Goal:
    """A goal under way; `over` is set with (success, message) when it ends."""

    def __init__(self, handle: ServerGoalHandle) -> None:
        self.handle = handle
        self.request: Any = handle.request
        self.over: Future[tuple[bool, str]] = Future()
        self.begun = False
        self.told_at = 0.0

    def end(self, success: bool, message: str = "") -> None:
        """Once is enough."""
        if not self.over.done():
            self.over.set_result((success, message))


class OperatorRequests:
    """Actions `say` and `perform`, services `interrupt` and `reset`.

    Speech waits for its turn unless it may interrupt; an action is performed only while nobody is
    in conversation. A reset also goes to the reasoner (`reasoner/reset`), if there is one. `tick`
    is to be called often.
    """

    def __init__(
        self, node: AvatarNode, conversation: Conversation, intake: SpeechIntake, *,
        block: Callable[[], int], block_s: float,
    ) -> None:  # fmt: skip
        """block: number of the next block issued."""
        self._node = node
        self._conversation = conversation
        self._intake = intake
        self._block = block
        self._block_s = block_s
        self._waiting: deque[_Goal] = deque()
        self._speaking: _Goal | None = None
        self._performance: _Goal | None = None
        self._blocks = (0, 0)
        self._own: OwnSpeech | None = None
        self._servers = [
            topics.SAY.serve(node, node.KIND, self._say, cancel_callback=_accept),
            topics.PERFORM.serve(node, node.KIND, self._perform, cancel_callback=_accept),
        ]
        self._services = [
            node.serve(topics.INTERRUPT, self._on_interrupt),
            node.serve(topics.RESET, self._on_reset),
        ]
        self._reasoner: Client = topics.RESET_REASONER.client(node, node.KIND)
        conversation.on_over = self._reply_over

    def close(self) -> None:
        """End every goal; nothing can be asked any more."""
        for goal in (*self._waiting, *filter(None, [self._speaking, self._performance])):
            goal.end(False, "the avatar is going down")
        for server in self._servers:
            server.destroy()
        for service in self._services:
            self._node.destroy_service(service)
        self._node.destroy_client(self._reasoner)

    def tick(self, now: float) -> None:
        """Do what has become possible; `now` is time.monotonic()."""
        self._speak(now)
        self._feed()
        self._act(now)

    async def _say(self, handle: ServerGoalHandle) -> Say.Result:
        goal = _Goal(handle)
        urgent = sum(other.request.interrupt for other in self._waiting)
        self._waiting.insert(urgent if goal.request.interrupt else len(self._waiting), goal)
        success, message = await goal.over  # type: ignore[misc]
        duration = self._intake.elapsed_s if goal.begun else 0.0
        return self._result(goal, Say.Result(success=success, message=message, duration=duration))

    async def _perform(self, handle: ServerGoalHandle) -> Perform.Result:
        goal = _Goal(handle)
        if not goal.request.prompt.strip():
            goal.end(False, "prompt: expected words, got nothing")
        elif self._performance is not None or not self._begin_performance(goal):
            goal.end(False, "the avatar is busy: it performs only while nobody talks with it")
        success, message = await goal.over  # type: ignore[misc]
        first, last = self._blocks
        if self._performance is goal:
            self._performance = None
            self._conversation.tell(EventKind.PERFORMED)
        result = Perform.Result(
            success=success, message=message, first_block=first, last_block=max(first, last)
        )
        return self._result(goal, result)

    @staticmethod
    def _result(goal: _Goal, result: Any) -> Any:
        if result.success:
            goal.handle.succeed()
        elif goal.handle.is_cancel_requested:
            goal.handle.canceled()
        else:
            goal.handle.abort()
        return result

    def _speak(self, now: float) -> None:
        """Drop what is cancelled, begin the first that waits when it may; feedback."""
        for goal in [goal for goal in self._waiting if goal.handle.is_cancel_requested]:
            self._waiting.remove(goal)
            goal.end(False, "cancelled")
        if self._waiting and (self._waiting[0].request.interrupt or not self._conversation.busy):
            self._begin_saying(self._waiting.popleft())
        if self._speaking is not None:
            self._go_on_saying(self._speaking, now)

    def _go_on_saying(self, goal: _Goal, now: float) -> None:
        if goal.handle.is_cancel_requested:
            self._conversation.stop("the request was cancelled")
            self._reply_over(0, False, "cancelled")
        elif now - goal.told_at >= _FEEDBACK_S:
            goal.told_at = now
            goal.handle.publish_feedback(
                Say.Feedback(
                    spoken_text=goal.request.text if self._intake.over else "",
                    elapsed=self._intake.elapsed_s,
                    total=self._intake.received_s,
                )
            )

    def _begin_saying(self, goal: _Goal) -> None:
        request = goal.request
        spoken = any(sign.isalnum() for sign in request.text)
        if not spoken and not len(request.audio.data):
            goal.end(False, "text: expected words, or audio, got nothing")
            return
        try:
            samples = None if spoken else audio_from_msg(request.audio)
        except RefusedError as error:
            goal.end(False, f"audio: {error}")
            return
        self._conversation.say(request.text if spoken else "", request.language)
        goal.begun, self._speaking, self._own = True, goal, None
        if samples is None:
            return
        self._intake.drop()
        self._own = OwnSpeech(
            samples, sample_rate=request.audio.sample_rate, channels=request.audio.channels,
            graph_rate=self._intake.sample_rate,
        )  # fmt: skip
        self._conversation.tell(EventKind.REPLY_SOUND)

    def _feed(self) -> None:
        """Sound that came with the request, as far as there is room for it."""
        own, intake = self._own, self._intake
        if own is None or not self._conversation.sounding:
            return
        first = intake.next_sample if intake.stream == own.stream else 0
        samples, last = own.piece(first, intake.room)
        if not len(samples):
            return
        try:
            intake.take(own.stream, first, samples, end_of_stream=last)
        except RefusedError as error:
            self._conversation.stop(f"audio: {error}")
            self._reply_over(0, False, f"audio: {error}")

    def _reply_over(self, turn: int, complete: bool, reason: str) -> None:
        """The conversation says that what was said as `turn` is over."""
        if turn == 0 and self._speaking is not None:
            goal, self._speaking, self._own = self._speaking, None, None
            goal.end(complete, "" if complete else reason)

    def _begin_performance(self, goal: _Goal) -> bool:
        seconds = goal.request.duration or _DEFAULT_DURATION_S
        if not self._conversation.perform(goal.request.prompt, seconds):
            return False
        self._performance = goal
        self._blocks = (self._block(), self._block() - 1)
        return True

    def _act(self, now: float) -> None:
        goal = self._performance
        if goal is None or goal.over.done():
            return
        first, _ = self._blocks
        shown = self._block() - first
        self._blocks = (first, self._block() - 1)
        left = (goal.request.duration or _DEFAULT_DURATION_S) - shown * self._block_s
        if goal.handle.is_cancel_requested:
            goal.end(False, "cancelled")
        elif not self._conversation.performing:
            goal.end(False, "a conversation began")
        else:
            self._go_on_performing(goal, shown, left, now)

    def _go_on_performing(self, goal: _Goal, shown: int, left: float, now: float) -> None:
        self._conversation.tell(EventKind.PERFORM)  # however long it takes, it is not forgotten
        if left <= 0.0:
            goal.end(True)
        elif now - goal.told_at >= _FEEDBACK_S:
            goal.told_at = now
            goal.handle.publish_feedback(Perform.Feedback(blocks=shown, remaining=left))

    def _on_interrupt(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        was_busy = self._conversation.busy
        self._conversation.stop("interrupted by an operator")
        response.success = was_busy
        response.message = "" if was_busy else "nothing was being said"
        return response

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._conversation.stop("reset by an operator")
        self._conversation.override("")
        if self._reasoner.service_is_ready():
            self._reasoner.call_async(Trigger.Request())  # nobody waits for the answer
        else:
            response.message = "no reasoner is there to forget"
        response.success = True
        return response
