"""Quality of service: of the public topics by name, of the graph's own topics by role; `topics.py`
says which topic has which."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml
from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_rosout_default,
)

from avatar_nodes.block.timing import MAX_LATENTS_PER_BLOCK

BURST_FRAMES = 100
"""History of frame-rate topics: the depth must be at least the burst (a block, unpaced), and
subscribers that write files lag some blocks behind."""

MAX_IN_FLIGHT = 8
"""Blocks that may be under way: no topic may drop one of them for want of depth."""

_BLOCKS = 2 * MAX_IN_FLIGHT
_FRAME_PARTS = MAX_IN_FLIGHT * MAX_LATENTS_PER_BLOCK
_STAGES = 64
_SENTENCES = 512

_PUBLIC: dict[str, tuple[ReliabilityPolicy, DurabilityPolicy]] = {
    "SYSTEM_DEFAULT": (ReliabilityPolicy.SYSTEM_DEFAULT, DurabilityPolicy.VOLATILE),
    "DEFAULT": (ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE),
    "RELIABLE": (ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE),
    "SENSOR_DATA": (ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE),
}
PUBLIC_NAMES = tuple(_PUBLIC)


def public_qos(name: str) -> QoSProfile:
    """QoS of `image_raw`, `audio` and their siblings, by the name that a parameter gives.

    All are volatile, with a depth of BURST_FRAMES: what the middleware takes for the system's
    default keeps a hundred pictures under Fast DDS, and hands those of seconds ago to late readers.

    Raises:
        ValueError: the name is none of PUBLIC_NAMES.
    """
    if name not in _PUBLIC:
        raise ValueError(f"QoS '{name}': expected one of {', '.join(PUBLIC_NAMES)}")
    reliability, durability = _PUBLIC[name]
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=BURST_FRAMES,
        reliability=reliability,
        durability=durability,
    )


def _reliable(depth: int, durability: DurabilityPolicy) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=durability,
    )


LATCHED = _reliable(1, DurabilityPolicy.TRANSIENT_LOCAL)
"""The last message holds for those who come later: epoch, demand, credit, state."""

LATCHED_FEW = _reliable(4, DurabilityPolicy.TRANSIENT_LOCAL)
"""The last few hold: sinks."""

BLOCKS = _reliable(_BLOCKS, DurabilityPolicy.TRANSIENT_LOCAL)
"""Conditioning, prompts and latents. Kept for late comers, so that none is lost while endpoints
are still being matched, and a restarted conductor gets the window; a receiver drops what is of an
older epoch."""

FRAMES = _reliable(_FRAME_PARTS, DurabilityPolicy.TRANSIENT_LOCAL)
"""Decoded blocks in parts, one a latent, 0.8 MB each at 256x256: all that may be under way, since a
slow reader loses what is more."""

STAGES = _reliable(_STAGES, DurabilityPolicy.TRANSIENT_LOCAL)
"""Signs of life; for a subscriber the depth is shared by all who publish."""

CONTROL = _reliable(_BLOCKS, DurabilityPolicy.VOLATILE)
"""Events and orders of a conversation: late ones are of no use."""

REPLIES = _reliable(_SENTENCES, DurabilityPolicy.VOLATILE)
"""Sentences of replies: a long text is handed out in one burst."""

SOUND = _reliable(BURST_FRAMES * 2, DurabilityPolicy.VOLATILE)
"""Sound chunks within the graph, sent in bursts when the pace is `demand`."""

HEARD = _reliable(BURST_FRAMES * 2, DurabilityPolicy.VOLATILE)
"""What is heard of a visitor: a listener that catches up tells of many seconds in one burst."""

CAPTURED = _reliable(BURST_FRAMES * 5, DurabilityPolicy.VOLATILE)
"""What a visitor says, in chunks of a frame: 20 s of it may come in one burst, to a listener that
takes another's place."""

DIAGNOSTICS = _reliable(10, DurabilityPolicy.VOLATILE)
"""Reports of every node."""

LOG = qos_profile_rosout_default
"""Lines of every node's log, as ROS itself publishes them."""

PUBLIC = public_qos("RELIABLE")
"""Pictures and sound, unless a parameter says otherwise: every frame, from now on."""

BEST_EFFORT = public_qos("SENSOR_DATA")
"""For readers of the public topics for whom nothing waits; it matches whatever is offered."""

WATCHED = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
"""For readers that look on, and need not hear of everything."""

COUNTED = _reliable(50, DurabilityPolicy.TRANSIENT_LOCAL)
"""For readers of something latched that want each message of it, not only the last."""

TAPPED = QoSProfile(depth=BURST_FRAMES, reliability=ReliabilityPolicy.BEST_EFFORT)
"""For the archive, which takes down any topic: a slow disk holds nobody up."""

TAPPED_LATCHED = _reliable(BURST_FRAMES, DurabilityPolicy.TRANSIENT_LOCAL)
"""The same of a topic whose publishers all keep it for late comers."""


def offered_qos_text(profiles: Iterable[QoSProfile]) -> str:
    """QoS of a topic's publishers as rosbag2 keeps it with a recorded topic (YAML), so that playing
    it offers the same. Numbers, which every version of rosbag2 reads; names only newer ones do."""
    return yaml.safe_dump([_as_rosbag2_has_it(profile) for profile in profiles], sort_keys=False)


def _as_rosbag2_has_it(profile: QoSProfile) -> dict[str, Any]:
    def time(duration: Duration) -> dict[str, int]:
        seconds, nanoseconds = divmod(duration.nanoseconds, 1_000_000_000)
        return {"sec": seconds, "nsec": nanoseconds}

    return {
        "history": int(profile.history),
        "depth": profile.depth,
        "reliability": int(profile.reliability),
        "durability": int(profile.durability),
        "deadline": time(profile.deadline),
        "lifespan": time(profile.lifespan),
        "liveliness": int(profile.liveliness),
        "liveliness_lease_duration": time(profile.liveliness_lease_duration),
        "avoid_ros_namespace_conventions": profile.avoid_ros_namespace_conventions,
    }
