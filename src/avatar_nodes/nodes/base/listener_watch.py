"""Notices that another listener has come in the place of one that died, and what it has to be
told."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from avatar_msgs.msg import AudioChunk, SpeechActivity, StageStatus, Utterance
from avatar_nodes.conducting.instances import Instances
from avatar_nodes.hearing.echo.echo import AUDIBLE_DB, level_db
from avatar_nodes.hearing.unheard import Unheard
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.stamp import nanoseconds

_LISTENER = "listener"
_UNNAMED = "_NODE_NAME_UNKNOWN_"
"""In the ROS graph, until a participant has told whose a subscription is; for ever, of a client
without ROS."""
_PATIENCE_S = 5.0
"""A DDS repeats after 3 s at most what was lost while two sides discovered each other."""
_SILENT_S = 1.0
"""Twice as long as between two signs of life."""
_REMEMBERED = 8


class ListenerWatch:
    """`stages`, `user/speech_activity`, `user/utterance` and `audio` in.

    A new listener shows in two ways, in either order and perhaps far apart: it says on `stages`
    that it is ready, and it subscribes to the sound. Until both are so, it would miss a part of
    what it is told, or take a piece from the middle of a sentence for all of it.

    Args:
        stream: the stream that is being sent; what is said of another one does not count.
    """

    def __init__(self, node: AvatarNode, unheard: Unheard, *, stream: Callable[[], str]) -> None:
        self._node = node
        self._unheard = unheard
        self._stream = stream
        self._instances = Instances(_LISTENER)
        self._known: deque[str] = deque(maxlen=_REMEMBERED)
        self._newcomer = ""
        self._ready = self._matched = False
        self._since: float | None = None
        self._seen: float | None = None
        self._subscriptions: set[bytes] = set()
        self._strangers: set[bytes] = set()
        node.listen(topics.STAGES, self._on_status)
        node.listen(topics.SPEECH_ACTIVITY, self._on_activity)
        node.listen(topics.UTTERANCE, self._on_utterance)
        node.listen(topics.AUDIO, self._on_avatar)

    def wait_for_it(self) -> bool:
        """Whether a new listener is about to hear: sound that is sent now it may miss. Not for
        longer than a moment, since others may hear, too."""
        unnamed = self._look_who_subscribes()
        unclear = self._matched != self._ready or (bool(unnamed) and self._has_fallen_silent())
        if not unclear:
            self._since = None
            return False
        now = time.monotonic()
        self._since = self._since or now
        if now - self._since < _PATIENCE_S:
            return True
        self._strangers |= unnamed
        if not self._newcomer:
            self._matched = False  # called so, but no stage
        return False

    def another_hears(self) -> bool:
        """Whether a listener hears now that knows nothing of what was sent; true once for each."""
        if not (self._newcomer and self._ready and self._matched):
            return False
        self._newcomer, self._ready, self._matched, self._since = "", False, False, None
        return True

    def _look_who_subscribes(self) -> set[bytes]:
        """Notes a new listener's subscription; returns those of whom it is not known yet whose they
        are."""
        present, unnamed = set(), set()
        for info in self._node.get_subscriptions_info_by_topic(topics.USER_AUDIO.name):
            if info.node_name == _LISTENER:
                present.add(bytes(info.endpoint_gid))
            elif info.node_name == _UNNAMED:
                unnamed.add(bytes(info.endpoint_gid))
        first = not (self._subscriptions or self._newcomer)  # nobody died
        self._matched |= bool(present - self._subscriptions) and not first
        self._subscriptions |= present
        return unnamed - self._strangers

    def _has_fallen_silent(self) -> bool:
        """Whether the listener so far seems to have died: then anybody may be the one after it."""
        return self._seen is not None and time.monotonic() - self._seen > _SILENT_S

    def _on_status(self, msg: StageStatus) -> None:
        now = time.monotonic()
        if not self._instances.heard(msg.name, msg.instance, now):
            return
        self._seen = now
        if msg.instance not in self._known:
            first = not self._known
            self._known.append(msg.instance)
            if first:  # nobody died
                return
            self._matched = self._matched and not self._newcomer  # that was another's
            self._newcomer, self._ready, self._since = msg.instance, False, None
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
