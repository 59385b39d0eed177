"""Writes down what a conversing avatar did when: orders, blocks, sound; for measurements."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from avatar_msgs.msg import (
    AudioChunk,
    BlockConditioning,
    BlockCredit,
    Intent,
    Prompt,
    SpeechActivity,
    TurnControl,
)
from avatar_nodes.environment import adopt_environment
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.qos import BLOCKS, CONTROL, LATCHED, SOUND, public_qos
from avatar_nodes.wire.stamp import nanoseconds

_FRAME_NS = 40_000_000
_SILENT_FRAMES = 10
"""So many frames in a row without sound: it has stopped, and not just paused for breath."""
_SAME_NS = 500_000_000


@dataclass(frozen=True)
class Cut:
    """A reply that was held; seconds from the moment that speech was detected."""

    sound_s: float
    """To the end of the last frame with sound."""
    mouth_s: float
    """To the first frame that was made in silence."""


class TurnWitness:
    """Subscribes below `namespace`; a context manager. To be read when it is over."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._context = Context()
        self._going = True
        self.controls: list[TurnControl] = []
        self._fired_ns: list[int] = []
        self._active = False
        self._sound: list[tuple[int, bool]] = []
        self._due_ns: dict[int, int] = {}
        self._prompts: dict[str, str] = {}
        self._blocks: list[tuple[int, str]] = []
        self._intents: list[Intent] = []

    def __enter__(self) -> TurnWitness:
        adopt_environment()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        node = rclpy.create_node("witness", context=self._context, namespace=self._namespace)
        listen = node.create_subscription
        listen(TurnControl, "turn/control", self.controls.append, CONTROL)
        listen(SpeechActivity, "user/speech_activity", self._on_activity, SOUND)
        listen(AudioChunk, "audio", self._on_audio, public_qos("RELIABLE"))
        listen(BlockCredit, "blocks/credit", self._on_credit, LATCHED)
        listen(Prompt, "blocks/prompt", self._on_prompt, BLOCKS)
        listen(BlockConditioning, "blocks/conditioning", self._on_block, BLOCKS)
        listen(Intent, "intent", self._intents.append, LATCHED)
        self._node = node
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(node)
        self._thread = threading.Thread(target=self._spin, name="witness", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._going = False
        self._executor.wake()
        self._thread.join()
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def cut(self, control: TurnControl) -> Cut | None:
        """What followed a PAUSE; None: nothing was heard, or not seen to its end."""
        decided = nanoseconds(control.header.stamp)
        fired = max((ns for ns in self._fired_ns if ns <= decided + _SAME_NS), default=decided)
        fired = fired if abs(fired - decided) < _SAME_NS else decided
        due = self._due_ns.get(int(control.first_block))
        before = [loud for stamp, loud in self._sound if fired - 10 * _FRAME_NS <= stamp < fired]
        last, silent = fired, 0
        for stamp, loud in self._sound:
            if stamp + _FRAME_NS <= fired:
                continue
            silent = 0 if loud else silent + 1
            if loud:
                last = stamp + _FRAME_NS
            if silent == _SILENT_FRAMES:
                break
        if due is None or silent < _SILENT_FRAMES or not any(before):
            return None
        return Cut((last - fired) / 1e9, (due - fired) / 1e9)

    def prompt_to_action_s(self) -> list[float]:
        """For every intent with an action: to the first frame under its prompt [s]."""
        found = []
        for intent in self._intents:
            decided = nanoseconds(intent.header.stamp)
            dues = [
                self._due_ns[block]
                for block, prompt in self._blocks
                if self._prompts.get(prompt) == intent.action_prompt and block in self._due_ns
            ]
            after = [due for due in dues if due >= decided]
            if intent.action_prompt and after:
                found.append((min(after) - decided) / 1e9)
        return found

    def _spin(self) -> None:
        try:
            while self._going:
                self._executor.spin_once(timeout_sec=0.2)
        except ExternalShutdownException:
            pass

    def _on_activity(self, msg: SpeechActivity) -> None:
        if msg.active and not self._active:
            self._fired_ns.append(self._node.get_clock().now().nanoseconds)
        self._active = msg.active

    def _on_audio(self, msg: AudioChunk) -> None:
        loud = bool(np.any(audio_from_msg(msg)))
        self._sound.append((nanoseconds(msg.header.stamp), loud))

    def _on_credit(self, msg: BlockCredit) -> None:
        if due := nanoseconds(msg.next_due):
            self._due_ns[int(msg.presented_block) + 1] = due

    def _on_prompt(self, msg: Prompt) -> None:
        self._prompts[msg.id] = msg.text

    def _on_block(self, msg: BlockConditioning) -> None:
        self._blocks.append((int(msg.block), msg.prompt_id))
