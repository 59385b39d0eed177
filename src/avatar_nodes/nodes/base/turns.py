"""Checks and follows the turns that messages name."""

from __future__ import annotations

from avatar_nodes.conducting import turn_numbers
from avatar_nodes.conducting.turn_numbers import TurnNumbers, unix_ms
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.wire import topics


def check_turn(turn: int) -> None:
    """Raises RefusedError: no turn that can be now."""
    turn_numbers.check_turn(turn, unix_ms())


def follow_turns(node: AvatarNode, numbers: TurnNumbers) -> None:
    """Hear of the turns that others number. `intent` tells of the last one answered, `state` of the
    present one, even a node that was restarted."""
    for topic in (topics.UTTERANCE, topics.INTENT, topics.STATE):
        node.listen(topic, lambda msg: numbers.hear(msg.turn))
