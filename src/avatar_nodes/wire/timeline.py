"""avatar_msgs/TurnTimeline <-> `speech.turn_timeline`."""

from __future__ import annotations

from avatar_msgs import msg as m
from avatar_nodes.timeline.turn_timeline import MILESTONES, TurnTimeline
from avatar_nodes.wire.stamp import nanoseconds, stamp_of


def timeline_to_msg(timeline: TurnTimeline) -> m.TurnTimeline:
    """Header left empty."""
    msg = m.TurnTimeline(turn=timeline.turn, interrupted=timeline.interrupted, over=timeline.over)
    for name in MILESTONES:
        setattr(msg, name, stamp_of(getattr(timeline, name)))
    return msg


def timeline_from_msg(msg: m.TurnTimeline) -> TurnTimeline:
    """Every message is one."""
    times = {name: nanoseconds(getattr(msg, name)) for name in MILESTONES}
    return TurnTimeline(turn=msg.turn, interrupted=msg.interrupted, over=msg.over, **times)
