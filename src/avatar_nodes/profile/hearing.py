"""Says how far the audio model hears around a block."""

from __future__ import annotations

import math

from avatar_nodes.profile.load import with_values
from avatar_nodes.profile.schema import Profile

LONGEST_S = 60.0
"""Of a sound that is heard as a whole; every block hears all of it."""


def hearing_all(profile: Profile, duration_s: float) -> Profile:
    """`profile` with windows from the beginning to the end of a sound of this length, each divided
    by the whole sound's deviation as in the public code; as it is if that is longer than a minute.
    """
    window_s = float(math.ceil(duration_s) + 1)
    if window_s > LONGEST_S:
        return profile
    audio = profile.audio
    return with_values(
        profile,
        {"audio": {"context_s": max(audio.context_s, window_s),
                   "lookahead_s": max(audio.lookahead_s, window_s), "loudness": "window"}},
    )  # fmt: skip
