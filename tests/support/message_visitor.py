"""A visitor in messages: when he speaks and what, without ears; and what he sees of the avatar."""

from __future__ import annotations

import numpy as np

from avatar_msgs.msg import (
    AudioChunk,
    BlockConditioning,
    Prompt,
    ReplySegment,
    SpeechActivity,
    TurnControl,
    Utterance,
)
from avatar_nodes.graph.graph import Graph
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.qos import BLOCKS, CONTROL, SOUND
from support.graph_under_test import Listener
from support.spinner import Spinner, wait_until

IDLE, LISTENING, THINKING, SPEAKING = range(4)


class Visitor:
    """Speaks in messages, and watches the avatar."""

    def __init__(self, spinner: Spinner, graph: Graph) -> None:
        self.avatar = Listener(spinner, graph.namespace)
        self.node = self.avatar.node
        self.controls: list[TurnControl] = []
        self.blocks: list[BlockConditioning] = []
        self.prompts: dict[str, str] = {}
        self.spoken: list[AudioChunk] = []
        self.replies: list[ReplySegment] = []
        subscribe = self.node.create_subscription
        subscribe(TurnControl, "turn/control", self.controls.append, CONTROL)
        subscribe(BlockConditioning, "blocks/conditioning", self.blocks.append, BLOCKS)
        subscribe(Prompt, "blocks/prompt", self._on_prompt, BLOCKS)
        subscribe(AudioChunk, "speech/audio", self.spoken.append, SOUND)
        subscribe(ReplySegment, "reply", self.replies.append, CONTROL)
        self._activity = self.node.create_publisher(SpeechActivity, "user/speech_activity", SOUND)
        self._utterance = self.node.create_publisher(Utterance, "user/utterance", SOUND)
        self._turn = self.node.get_clock().now().nanoseconds // 1_000_000

    def _on_prompt(self, msg: Prompt) -> None:
        self.prompts[msg.id] = msg.text

    def meet(self) -> None:
        """Until the avatar moves, and all ears are there."""
        wait_until(lambda: len(self.avatar.frames) > 12, what="a moving avatar")
        wait_until(
            lambda: (
                self._activity.get_subscription_count() > 0
                and self._utterance.get_subscription_count() > 1
            ),
            what="somebody who listens",
            seconds=60.0,
        )

    def is_heard(self, active: bool) -> None:
        self._activity.publish(SpeechActivity(active=active, probability=float(active)))

    def says(self, text: str, *, final: bool = True) -> int:
        """A new turn with these words; interim ones belong to the next final ones."""
        self._turn += final or not text
        self._utterance.publish(Utterance(turn=self._turn, text=text, is_final=final))
        return self._turn

    def asks(self, text: str) -> int:
        """Speaks, is silent, was understood."""
        self.is_heard(True)
        self.wait_for(LISTENING)
        self.is_heard(False)
        return self.says(text)

    @property
    def states(self) -> list[int]:
        """The states in their order, none twice in a row."""
        seen = [state.state for state in list(self.avatar.states)]
        return [s for i, s in enumerate(seen) if i == 0 or seen[i - 1] != s]

    def wait_for(self, state: int) -> None:
        wait_until(
            lambda: bool(self.avatar.states) and self.avatar.states[-1].state == state,
            what=f"state {state} after {self.states}",
        )

    def wait_for_sound(self) -> None:
        """Until the avatar is heard."""
        have = len(self.avatar.sound)
        wait_until(
            lambda: any(chunk.any() for chunk in list(self.avatar.sound)[have:]), what="its voice"
        )

    def wait_for_silence(self) -> None:
        """Until half a second of sound is silent."""
        wait_until(lambda: not np.concatenate(list(self.avatar.sound)[-12:]).any(), what="silence")

    def commands(self, turn: int) -> list[int]:
        return [c.command for c in list(self.controls) if c.turn == turn]

    def answer(self, text: str) -> str:
        """What the avatar answers, when it has said it."""
        turn = self.asks(text)
        self.wait_for(SPEAKING)
        self.wait_for(IDLE)
        return " ".join(r.text for r in list(self.replies) if r.turn == turn).strip()

    def words_of(self, turn: int) -> np.ndarray:
        """The sound that the voice made for a turn, what was sent twice left out."""
        sound = np.zeros(0, np.int16)
        for chunk in list(self.spoken):
            if chunk.stream.startswith(f"turn-{turn}-") and len(chunk.data):
                sound = np.concatenate(
                    [sound[: chunk.first_sample], audio_from_msg(chunk)]
                    if chunk.first_sample + len(chunk.data) > len(sound)
                    else [sound]
                )
        return sound
