"""Acts as visitor of a running avatar: speaks sound into it in real time, and follows its state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from avatar_msgs.msg import AvatarState, ReplySegment, SpeechActivity, TurnTimeline, Utterance
from avatar_nodes.client.client_node import ClientNode
from avatar_nodes.sound.audio_file import GRAPH_RATE
from avatar_nodes.text.words import clean_text
from avatar_nodes.timeline.turn_timeline import TurnTimeline as Timeline
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_to_msg
from avatar_nodes.wire.declaration import VISITOR
from avatar_nodes.wire.stamp import stamp_of
from avatar_nodes.wire.timeline import timeline_from_msg

if TYPE_CHECKING:
    from typing_extensions import Self

_CHUNK = 640
_CHUNK_S = _CHUNK / GRAPH_RATE
_FRAME = "visitor"


class VisitorError(RuntimeError):
    """A wait of the visitor was in vain; one line."""


class VisitBrokenOffError(VisitorError):
    """Somebody has broken off the visit."""


class VirtualVisitor(ClientNode):
    """Streams AudioChunks to `topic` without end: silence, and the sound given to `say`.

    A context manager; sound flows while it is entered. All methods are for one other thread,
    `break_off` for any.
    """

    def __init__(self, namespace: str, *, topic: str = topics.AUDIO_IN.name) -> None:
        super().__init__("visitor", namespace)
        self._topic = topic
        self._lock = threading.Condition()
        self._sound = np.zeros(0, np.int16)
        self._position = 0
        self._going = True
        self._broken_off = False
        self._begun = self._heard = 0
        self._written: set[int] = set()
        self._asked: set[int] = set()
        self._early: dict[int, list[str]] = {}
        """Sentences of turns whose question has not come in yet."""
        self.noticed = False
        """The avatar hears somebody speak."""
        self.state: AvatarState | None = None
        """The avatar's last state."""
        self.states = 0
        """Number of its changes."""
        self.spoken: list[tuple[int, int]] = []
        """Times in which the visitor spoke: begin and end [ns since 1970]."""
        self.timelines: dict[int, Timeline] = {}
        """The last timeline of every turn, oldest first."""
        self.on_line: Callable[[str, str], None] = lambda who, text: None
        """Called with every line said: by the `visitor`, as it was understood, or by the `avatar`.
        """

    def __enter__(self) -> Self:
        super().__enter__()
        sound = topics.AUDIO_IN.with_parameters({"topic": self._topic})
        self._out = sound.publisher(self.node, VISITOR)
        self._writing = topics.UTTERANCE.publisher(self.node, VISITOR)
        for topic, callback in (
            (topics.STATE, self._on_state),
            (topics.TURN_TIMELINE, self._on_timeline),
            (topics.SPEECH_ACTIVITY, self._on_activity),
            (topics.UTTERANCE, self._on_utterance),
            (topics.REPLY, self._on_reply),
        ):
            topic.subscribe(self.node, VISITOR, callback)
        self.spin_in_background()
        self._voice = threading.Thread(target=self._stream, name="visitor's voice", daemon=True)
        self._voice.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        with self._lock:
            self._going = False
            self._lock.notify_all()
        self._voice.join()
        super().__exit__(kind, error, trace)

    def break_off(self) -> None:
        """End every wait, now or later, with VisitBrokenOffError."""
        with self._lock:
            self._broken_off = True
            self._lock.notify_all()

    def say(self, samples: np.ndarray) -> None:
        """Begin to speak int16 samples [n] at 16 kHz, after those that are still being spoken."""
        with self._lock:
            self._sound = np.concatenate([self._sound, np.asarray(samples, np.int16)])

    def write(self, text: str) -> None:
        """Type instead of speaking, as the kiosk's page passes it on."""
        now = self.node.get_clock().now()
        msg = Utterance(
            turn=now.nanoseconds // 1_000_000, text=clean_text(text), is_final=True, confidence=-1.0
        )
        msg.header.stamp = msg.start = msg.end = now.to_msg()
        msg.header.frame_id = _FRAME
        with self._lock:
            self._written.add(msg.turn)
        self._writing.publish(msg)

    @property
    def speaking(self) -> bool:
        """Some of what `say` was given has not been spoken yet."""
        with self._lock:
            return len(self._sound) > 0

    @property
    def understood(self) -> bool:
        """True if every turn that began has its final text, even an empty one."""
        with self._lock:
            return self._heard >= self._begun

    @property
    def turns_over(self) -> int:
        """Turns whose answers were heard to their end, or cut short."""
        return sum(timeline.over for timeline in list(self.timelines.values()))

    def answered(self, begun: int) -> bool:
        """True if the visitor's last words came after `begun` [ns since 1970], and the first frame
        of their answer was shown."""
        since = [turn for turn, seen in self.timelines.items() if seen.speech_ended > begun]
        return bool(since) and self.timelines[max(since)].first_frame > 0

    def wait_for(self, what: str, condition: Callable[[], bool], timeout_s: float) -> None:
        """Until `condition` holds; it is asked at every message and every 40 ms.

        Raises:
            VisitorError: `what` did not come in time.
            VisitBrokenOffError: see `break_off`.
        """
        deadline = time.monotonic() + timeout_s
        with self._lock:
            while not condition():
                if self._broken_off:
                    raise VisitBrokenOffError("the visit was broken off")
                left = deadline - time.monotonic()
                if left <= 0.0 or not self._going:
                    raise VisitorError(f"{what}: not within {timeout_s:g} s")
                self._lock.wait(min(left, _CHUNK_S))

    def pause(self, seconds: float) -> None:
        """Say nothing for a while."""
        until = time.monotonic() + seconds
        self.wait_for("the end of a pause", lambda: time.monotonic() >= until, seconds + 10.0)

    def wait_for_state(self, state: int, timeout_s: float) -> None:
        """Until the avatar is in one of AvatarState's states. Raises VisitorError."""
        name = ("IDLE", "LISTENING", "THINKING", "SPEAKING")[state]
        self.wait_for(
            f"state {name}",
            lambda: self.state is not None and self.state.state == state,
            timeout_s,
        )

    def _stream(self) -> None:
        due = time.monotonic()
        while self._going:
            with self._lock:
                chunk, self._sound = self._sound[:_CHUNK], self._sound[_CHUNK:]
            padded = np.concatenate([chunk, np.zeros(_CHUNK - len(chunk), np.int16)])
            now_ns = self.node.get_clock().now().nanoseconds
            self.emit(padded, self._position, now_ns)
            self._position += _CHUNK
            if len(chunk):
                self._note_spoken(now_ns)
            due = max(due + _CHUNK_S, time.monotonic() - 1.0)
            time.sleep(max(0.0, due - time.monotonic()))

    def emit(self, samples: np.ndarray, first_sample: int, now_ns: int) -> None:
        """Let the avatar hear int16 [640], the stream's samples from `first_sample` on."""
        msg = audio_to_msg(
            samples, stream="visitor", sample_rate=GRAPH_RATE, first_sample=first_sample
        )
        msg.header.stamp = stamp_of(now_ns)
        msg.header.frame_id = _FRAME
        self._out.publish(msg)

    def _note_spoken(self, begin: int) -> None:
        end = begin + round(_CHUNK_S * 1e9)
        if self.spoken and begin - self.spoken[-1][1] < round(_CHUNK_S * 1e9):
            self.spoken[-1] = (self.spoken[-1][0], end)
        else:
            self.spoken.append((begin, end))

    def _on_state(self, msg: AvatarState) -> None:
        with self._lock:
            self.states += self.state is None or self.state.state != msg.state
            self.state = msg
            self._lock.notify_all()

    def _on_timeline(self, msg: TurnTimeline) -> None:
        with self._lock:
            self.timelines[int(msg.turn)] = timeline_from_msg(msg)
            self._lock.notify_all()

    def _on_activity(self, msg: SpeechActivity) -> None:
        with self._lock:
            self._begun += bool(msg.active) and not self.noticed
            self.noticed = bool(msg.active)
            self._lock.notify_all()

    def _on_utterance(self, msg: Utterance) -> None:
        if msg.is_final:
            with self._lock:
                self._heard += msg.turn not in self._written  # typed, not heard
                self._lock.notify_all()
            self.on_line("visitor", msg.text or "(not understood)")
            self._asked.add(msg.turn)
            for text in self._early.pop(msg.turn, []):
                self.on_line("avatar", text)

    def _on_reply(self, msg: ReplySegment) -> None:
        if not msg.text or msg.cancelled:
            return
        if msg.turn in self._asked or msg.turn == 0:  # 0: nobody asked, an operator lets it speak
            self.on_line("avatar", msg.text)
        else:  # an answer may come in before its question: they are two topics
            self._early.setdefault(msg.turn, []).append(msg.text)
