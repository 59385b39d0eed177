"""Parameters of the nodes that mark pictures."""

from __future__ import annotations

import numpy as np

from avatar_nodes.marking.marker import Marker, MarkingChoice
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.node_parameter import NodeParameter

MARKING_PARAMETERS = (
    NodeParameter("label", False, "Draw a visible label on the pictures."),
    NodeParameter("watermark", False, "Put an invisible watermark into the pictures."),
    NodeParameter("mark_text", "AI generated", "Words of the label."),
    NodeParameter(
        "mark_corner",
        "bottom_right",
        "Where the label is.",
        choices=("top_left", "top_right", "bottom_left", "bottom_right"),
    ),
    NodeParameter("mark_number", 0, "Number in the watermark.", 0, 65535),
)


def marker_of(node: AvatarNode, *, height: int, width: int) -> Marker:
    """The marker of a node with MARKING_PARAMETERS, tried on a picture of this size.

    Raises:
        LabelError: the label cannot be drawn, or not into pictures of this size.
    """
    marker = Marker(
        MarkingChoice(
            label=node.value("label"),
            watermark=node.value("watermark"),
            text=node.value("mark_text"),
            corner=node.value("mark_corner"),
            number=node.value("mark_number"),
        )
    )
    marker.mark(np.zeros((height, width, 3), np.uint8))
    return marker
