"""Notices that another listener has come in the place of one that died, and what it has to be
told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from avatar_msgs.msg import AudioChunk, SpeechActivity, StageStatus, Utterance
from avatar_nodes.nodes.lifecycle_node import AvatarNode
from avatar_nodes.speech.echo import AUDIBLE_DB, level_db
from avatar_nodes.speech.unheard import Unheard
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.qos import CONTROL, STAGES, public_qos
from avatar_nodes.wire.stamp import nanoseconds

_LISTENER = "listener"
_PATIENCE_S = 2.0
_REMEMBERED = 8


class ListenerWatch:
    """`stages`, `user/speech_activity`, `user/utterance` and `audio` in.

    Args:
        stream: the stream that is being sent; what is said of another one does not count.
    """

    def __init__(self, node: AvatarNode, unheard: Unheard, *, stream: Callable[[], str]) -> None:
        self._unheard = unheard
        self._stream = stream
        self._known: deque[str] = deque(maxlen=_REMEMBERED)
        self._newcomer = ""
        self._ready = self._matched = False
        self._since: float | None = None
        self._subscribers = 0
        node.listen(StageStatus, "stages", self._on_status, STAGES)
        node.listen(SpeechActivity, "user/speech_activity", self._on_activity, CONTROL)
        node.listen(Utterance, "user/utterance", self._on_utterance, CONTROL)
        node.listen(AudioChunk, "audio", self._on_avatar, public_qos("SENSOR_DATA"))

    def wait_for_it(self, subscribers: int, now: float) -> bool:
        """Whether a new listener is about to hear: sound that is sent now it may miss.

        Args:
            subscribers: how many subscribe to the sound.
            now: [s, any monotonic clock].
        """
        self._matched |= bool(self._newcomer) and subscribers > self._subscribers
        self._subscribers = subscribers
        if self._matched == self._ready:
            return False
        self._since = self._since or now
        return now - self._since < _PATIENCE_S

    def another_hears(self) -> bool:
        """Whether a listener hears now that knows nothing of what was sent; true once for each."""
        if not (self._newcomer and self._ready):
            return False
        self._newcomer, self._ready, self._matched, self._since = "", False, False, None
        return True

    def _on_status(self, msg: StageStatus) -> None:
        if msg.name != _LISTENER:
            return
        if msg.instance not in self._known:
            first = not self._known
            self._known.append(msg.instance)
            if first:  # nobody died
                return
            self._newcomer = msg.instance
            self._ready, self._matched, self._since = False, False, None
        if msg.instance == self._newcomer:
            self._ready = self._ready or msg.ready

    def _on_activity(self, msg: SpeechActivity) -> None:
        if msg.stream == self._stream():
            self._unheard.judged(
                active=msg.active,
                since_sample=msg.since_sample,
                stamp_ns=nanoseconds(msg.header.stamp),
            )

    def _on_utterance(self, msg: Utterance) -> None:
        if msg.is_final:
            self._unheard.understood(nanoseconds(msg.start))

    def _on_avatar(self, msg: AudioChunk) -> None:
        samples = audio_from_msg(msg)
        if level_db(samples) > AUDIBLE_DB:
            duration_ns = len(samples) // msg.channels * 1_000_000_000 // msg.sample_rate
            self._unheard.avatar_heard(nanoseconds(msg.header.stamp) + duration_ns)
