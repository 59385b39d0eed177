"""Records the orders, blocks, states and sound of a conversing avatar with their times."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image

from avatar_msgs.msg import (
    AudioChunk,
    AvatarState,
    BlockConditioning,
    BlockCredit,
    Intent,
    Prompt,
    SpeechActivity,
    TurnControl,
)
from avatar_nodes.bench.turn.cut import BargeIn, Cut
from avatar_nodes.bench.turn.leak import Leak
from avatar_nodes.bench.turn.mouth_watch import MouthWatch
from avatar_nodes.bench.turn.prompts import PromptWatch
from avatar_nodes.bench.turn.rest import Rest, Span, find_rest
from avatar_nodes.bench.turn.stream_pairing import StreamPairing, stamp_of_serialized
from avatar_nodes.bench.turn.sync import SyncWatch
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.client.client_node import ClientNode
from avatar_nodes.speaking.turn_stream import turn_of
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.declaration import WITNESS
from avatar_nodes.wire.image import image_from_msg
from avatar_nodes.wire.stamp import nanoseconds

if TYPE_CHECKING:
    from typing_extensions import Self

_NANOSECONDS = 1_000_000_000
_SILENT_FRAMES = 10
"""Frames in a row without sound after which a voice has stopped, and not just paused for breath."""
_SAME_NS = 500_000_000
_ALLOWED_NS = 100_000_000
"""Time that a reply may still be heard after speech was detected."""
_PIXELS = 128
"""Bytes of a serialized picture before its pixels, at most."""
_ORDER_S = 0.12
"""From the detection of speech to its effect on the next block to be issued, and a frame."""
_NOTICED_NS = 5_000_000_000
_AFTER_NS = 1_000_000_000
_NEVER = 1 << 63
_BECAME = {
    TurnControl.CANCEL: "cancelled",
    TurnControl.RESUME: "resumed",
    TurnControl.PAUSE: "held",
}
REPLY_WENT_ON = ("resumed", "unnoticed")
"""Outcomes that a reply should have after a cough."""
_OVERDUE = re.compile(r"(.+) for more than \S+ s")
_STATES = ("IDLE", "LISTENING", "THINKING", "SPEAKING")


class TurnWitness(ClientNode):
    """Subscribes below `namespace`; a context manager. Most is read after it has ended.

    pictures: also take the stamps of the pictures (`pairing`), which costs their transport.
    mouth: looks at them, too. margin_s: how early a block is to be ready (`stream.margin_s`).
    timing: of the model's blocks (None: the shipped model's).
    """

    def __init__(
        self, namespace: str, *, pictures: bool = False, mouth: MouthWatch | None = None,
        margin_s: float = 0.08, timing: BlockTiming | None = None,
    ) -> None:  # fmt: skip
        super().__init__("witness", namespace)
        timing = timing or BlockTiming()
        self._frame_ns = _NANOSECONDS // timing.frame_rate
        self._block_ns = timing.frames_per_block * self._frame_ns
        self._sample_rate = timing.sample_rate
        self._margin_s = margin_s
        self.pairing = StreamPairing() if pictures or mouth is not None else None
        self._mouth = mouth
        self._sync = SyncWatch()
        self._picture = b""
        self.controls: list[TurnControl] = []
        self.watchdogs: Counter[str] = Counter()
        """Phases that the conductor ended because they had lasted too long, by name."""
        self._reason = ""
        self._activity: list[tuple[int, bool]] = []
        self._sound: list[tuple[int, int]] = []
        self._states: list[tuple[int, int]] = []
        self._due_ns: dict[int, int] = {}
        self._issued_ns: dict[int, int] = {}
        self.pipeline_s: list[float] = []
        """Time of every block from its issue until its first frame could be shown."""
        self._prompts = PromptWatch()
        self._sounding: list[tuple[int, str]] = []

    def __enter__(self) -> Self:
        super().__enter__()
        for topic, callback in (
            (topics.TURN_CONTROL, self.controls.append),
            (topics.SPEECH_ACTIVITY, self._on_activity),
            (topics.STATE, self._on_state),
            (topics.AUDIO, self._on_audio),
            (topics.CREDIT, self._on_credit),
            (topics.PROMPT, self._on_prompt),
            (topics.CONDITIONING, self._on_block),
            (topics.INTENT, self._on_intent),
        ):
            topic.subscribe(self.node, WITNESS, callback)
        if self.pairing is not None:
            topics.IMAGE_RAW.subscribe(self.node, WITNESS, self._on_image, raw=True)
        self.spin_in_background()
        return self

    @property
    def audible(self) -> bool:
        """True while the avatar is heard; for any thread."""
        return bool(self._sound) and self._sound[-1][1] > 0

    def cuts(self) -> list[Cut]:
        """One for every reply that was heard when the visitor spoke."""
        held = [c for c in self.controls if c.command == TurnControl.PAUSE]
        return [cut for cut in map(self.cut, held) if cut is not None]

    def cut(self, control: TurnControl) -> Cut | None:
        """Figures of a PAUSE; None: nothing was heard, or the record ends before it does."""
        fired = self._fired(control)
        shown = self._shown(int(control.first_block))
        before = [
            loud for stamp, loud in self._sound if fired - 10 * self._frame_ns <= stamp < fired
        ]
        last, silent, over = fired, 0, False
        for stamp, loud in self._until(fired - self._frame_ns, self._other_sound(control)):
            end = stamp + self._lasting_ns(loud)
            silent = 0 if loud else silent + 1
            last = max(last, end) if loud else last
            over = silent == _SILENT_FRAMES
            if over:
                break
        else:
            over = self._other_sound(control) < _NEVER
        if shown is None or not over or not any(before):
            return None
        ahead = sum(
            self._due_ns[block] > fired for block in self._due_ns if block < control.first_block
        )
        closed = None
        if self._mouth is not None:
            closed = self._mouth.closed_from(fired, self._other_sound(control))
        return Cut(
            (last - fired) / 1e9, (shown - fired) / 1e9, ahead, self._allowed_s(),
            None if closed is None else (closed - fired) / 1e9,
        )  # fmt: skip

    def leaks(self) -> list[Leak]:
        """Sound of replies that were held or dropped, heard later than allowed."""
        late: dict[int, Leak] = {}
        for control in self.controls:
            if control.command == TurnControl.RESUME or not control.first_block:
                continue
            fired = self._fired(control)
            limit = fired + _ALLOWED_NS
            order = f"{_BECAME[control.command]}: {control.reason}"
            for stamp, loud in self._until(limit - self._frame_ns, self._other_sound(control)):
                late_ns = stamp + self._lasting_ns(loud) - max(stamp, limit)
                samples = late_ns * self._sample_rate // _NANOSECONDS
                if samples > (late[stamp].samples if stamp in late else 0):
                    late[stamp] = Leak(int(control.turn), order, (stamp - fired) / 1e9, samples)
        return list(late.values())

    def ignored(self) -> int:
        """Number of times that speech was detected during a reply which still went on."""
        orders = [
            nanoseconds(control.header.stamp)
            for control in self.controls
            if control.command != TurnControl.RESUME
        ]
        return sum(
            any(loud for _, loud in self._until(fired, fired + _ALLOWED_NS))
            and not any(abs(order - fired) < _SAME_NS for order in orders)
            for fired in self._fired_ns
        )

    def sync(self) -> dict[str, Any] | None:
        """`StreamPairing.summary` of pictures and sound, with `lip_sync` where the mouth was
        watched; None: without pictures."""
        if self.pairing is None:
            return None
        found: dict[str, Any] = self.pairing.summary()
        if self._mouth is not None:
            found["lip_sync"] = self._sync.summary(self._mouth.apertures)
        return found

    def barge_in(self, begun_ns: int) -> BargeIn | None:
        """States that the avatar showed when somebody spoke from `begun_ns` on; None: no speech was
        detected."""
        before = [active for ns, active in self._activity if ns < begun_ns]
        noticed = [begun_ns] if before and before[-1] else self._fired_ns
        noticed = [ns for ns in noticed if begun_ns <= ns < begun_ns + _NOTICED_NS]
        if not noticed:
            return None
        moment = noticed[0]
        held = any(
            abs(nanoseconds(control.header.stamp) - moment) < _SAME_NS
            for control in self.controls
            if control.command == TurnControl.PAUSE
        )
        return BargeIn(self._state_at(moment), self._state_at(moment + _AFTER_NS), held)

    def became(self, begun: int, end: int) -> str:
        """Outcome of a reply between two moments [ns] after a cough or a stop: it was "cancelled",
        "resumed", only "held", or went on, "unnoticed". For any thread."""
        commands = {
            control.command
            for control in list(self.controls)
            if begun <= nanoseconds(control.header.stamp) < end
        }
        found = (name for command, name in _BECAME.items() if command in commands)
        return next(found, "unnoticed")

    def prompt_to_action_s(self) -> list[float]:
        """See `PromptWatch`."""
        return self._prompts.prompt_to_action_s(self._shown)

    def rest(self, spoken: Sequence[Span], begin: int, end: int) -> Rest:
        """The avatar's way back to rest between two moments [ns]; spoken: times in which the
        visitor spoke. For any thread."""
        sound = [
            (stamp, stamp + self._lasting_ns(loud))
            for stamp, loud in list(self._sound)
            if loud and begin - self._frame_ns < stamp < end
        ]
        return find_rest(list(self._states), sound=sound, spoken=spoken, begin=begin, end=end)

    @property
    def _fired_ns(self) -> list[int]:
        """Times at which a begin of speech was detected."""
        return [ns for ns, active in self._activity if active]

    def _fired(self, control: TurnControl) -> int:
        """Time at which the speech that caused an order was detected; without any, the time of the
        order."""
        decided = nanoseconds(control.header.stamp)
        fired = max((ns for ns in self._fired_ns if ns <= decided + _SAME_NS), default=decided)
        return fired if abs(fired - decided) < _SAME_NS else decided

    def _allowed_s(self) -> float:
        """From the detection of speech to the first silent frame: the rest of the block being
        issued, the way of the next one, `margin_s`, and the time of an order. The way is the 90th
        percentile of the run, since the conductor also reckons with nearly the longest."""
        way = float(np.percentile(self.pipeline_s, 90)) if self.pipeline_s else 0.0
        return self._block_ns / 1e9 + way + self._margin_s + _ORDER_S

    def _lasting_ns(self, samples: int) -> int:
        return samples * _NANOSECONDS // self._sample_rate

    def _shown(self, block: int) -> int | None:
        """Time at which the first frame of `block` was shown. The block's own credit tells when the
        next is due; the credit before it told this one's time in advance, without later delays."""
        after = self._due_ns.get(block + 1)
        return self._due_ns.get(block) if after is None else after - self._block_ns

    def _other_sound(self, control: TurnControl) -> int:
        """Time from which sound may be heard again: the reply goes on, or another has begun."""
        decided = nanoseconds(control.header.stamp)
        goes_on = (
            nanoseconds(other.header.stamp)
            for other in self.controls
            if other.command == TurnControl.RESUME
            and other.turn == control.turn
            and nanoseconds(other.header.stamp) >= decided
        )
        shown = (self._shown(block) for block in self._others(control))
        begins = (ns - self._frame_ns // 2 for ns in shown if ns is not None)
        return min((*goes_on, *begins), default=_NEVER)

    def _others(self, control: TurnControl) -> Iterator[int]:
        """Blocks after an order with sound of replies that the order does not concern. It concerns
        its turn and those before; of speech that the avatar starts itself (turn 0) the streams that
        were in blocks by then."""
        first = control.first_block
        held = {stream for block, stream in self._sounding if block < first}
        for block, stream in self._sounding:
            turn = turn_of(stream)
            meant = 0 < turn <= control.turn if turn else turn == control.turn and stream in held
            if block >= first and not meant:
                yield block

    def _until(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Stamps of the sound's frames between two moments, and how many samples each had up to
        its last sound."""
        return ((stamp, loud) for stamp, loud in self._sound if begin < stamp < end)

    def _state_at(self, moment: int) -> str:
        state = 0
        for stamp, entered in self._states:
            if stamp > moment:
                break
            state = entered
        return _STATES[state] if state < len(_STATES) else str(state)

    @staticmethod
    def _now_ns() -> int:
        """The clock of the stamps."""
        return time.time_ns()

    def _on_activity(self, msg: SpeechActivity) -> None:
        if msg.active != (bool(self._activity) and self._activity[-1][1]):
            self._activity.append((self._now_ns(), bool(msg.active)))

    def _on_state(self, msg: AvatarState) -> None:
        if not self._states or self._states[-1][1] != msg.state:
            self._states.append((nanoseconds(msg.header.stamp), int(msg.state)))
        if msg.reason != self._reason and (overdue := _OVERDUE.fullmatch(msg.reason)):
            self.watchdogs[overdue.group(1)] += 1
        self._reason = msg.reason

    def _on_audio(self, msg: AudioChunk) -> None:
        loud = np.flatnonzero(audio_from_msg(msg))
        stamp = nanoseconds(msg.header.stamp)
        self._sound.append((stamp, int(loud[-1]) + 1 if len(loud) else 0))
        if self.pairing is not None:
            self.pairing.sound(stamp, int(msg.first_sample), int(msg.sample_rate))
        if self._mouth is not None:
            self._sync.sound(stamp, audio_from_msg(msg))

    def _on_image(self, message: bytes) -> None:
        assert self.pairing is not None
        stamp = stamp_of_serialized(message)
        self.pairing.picture(stamp)
        pixels = message[_PIXELS:]
        self._sync.held += pixels == self._picture
        self._picture = pixels
        if self._mouth is not None:
            self._mouth.see(stamp, image_from_msg(deserialize_message(message, Image)))

    def _on_credit(self, msg: BlockCredit) -> None:
        begun = self._issued_ns.pop(int(msg.playable_block), None)
        if begun is not None:
            self.pipeline_s.append((nanoseconds(msg.header.stamp) - begun) / 1e9)
        if due := nanoseconds(msg.next_due):
            self._due_ns[int(msg.playable_block) + 1] = due

    def _on_prompt(self, msg: Prompt) -> None:
        self._prompts.prompt(msg.id, msg.text)

    def _on_intent(self, msg: Intent) -> None:
        self._prompts.intent(int(msg.turn), msg.action_prompt, nanoseconds(msg.header.stamp))

    def _on_block(self, msg: BlockConditioning) -> None:
        self._issued_ns[int(msg.block)] = self._now_ns()
        self._prompts.block(int(msg.block), msg.prompt_id, msg.sound.stream)
        if msg.next_sample > msg.sound.first_sample:
            self._sounding.append((int(msg.block), msg.sound.stream))
