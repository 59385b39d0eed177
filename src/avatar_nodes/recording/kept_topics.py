"""Decides which topics are written beside a video: above all, what is kept of visitors."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable

from avatar_nodes.profile.archive import KeptOfVisitors

_SOUND_KINDS = ("avatar_msgs/msg/AudioChunk",)
_SOUND_PACKAGES = ("audio_common_msgs",)
_WORDS_KINDS = ("avatar_msgs/msg/Utterance",)
_VISITORS = "user/"


class KeptTopics:
    """Which topics of an avatar are kept.

    Sound is told by its type: whatever a microphone's topic is called, what comes from it is a
    visitor's voice, unless it is among the avatar's own.

    Args:
        shared: topics outside of the namespace that are kept as well.
        own_sound: full names of the topics in which the avatar is heard.
        exclude: topics that are not kept, `*` for any text; names below the namespace, or full.
    """

    def __init__(
        self,
        namespace: str,
        *,
        shared: Collection[str],
        own_sound: Iterable[str],
        exclude: Iterable[str],
        of_visitors: KeptOfVisitors,
    ) -> None:
        self._below = namespace.rstrip("/") + "/"
        self._shared = shared
        self._own_sound = frozenset(own_sound)
        self._exclude = [
            pattern
            for name in exclude
            if name
            for pattern in (name, self._below + name.lstrip("/"))
        ]
        self._of_visitors = of_visitors

    def keeps(self, topic: str, kind: str) -> bool:
        """Whether messages of `topic`, such as `/avatar/state`, and of type `kind` are kept."""
        if topic in self._shared:
            return True
        if not topic.startswith(self._below):
            return False
        if any(fnmatch.fnmatchcase(topic, pattern) for pattern in self._exclude):
            return False
        if kind in _SOUND_KINDS or kind.partition("/")[0] in _SOUND_PACKAGES:
            return topic in self._own_sound or self._of_visitors == "sound"
        if kind in _WORDS_KINDS or topic.startswith(self._below + _VISITORS):
            return self._of_visitors != "nothing"
        return True
