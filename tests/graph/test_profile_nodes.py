"""Sections that are a node's parameters have its names, defaults and ranges."""

from __future__ import annotations

from typing import Any, get_args

import annotated_types
import pytest
from pydantic import BaseModel

pytest.importorskip("rclpy", reason="no ROS here")

from avatar_nodes.nodes.base.marking_parameters import MARKING_PARAMETERS
from avatar_nodes.nodes.base.node_parameter import NodeParameter
from avatar_nodes.nodes.conductor_parameters import CONDUCTOR_PARAMETERS
from avatar_nodes.nodes.kiosk import KioskNode
from avatar_nodes.nodes.listener import ListenerNode
from avatar_nodes.nodes.memory import MemoryNode
from avatar_nodes.nodes.reasoner import ReasonerNode
from avatar_nodes.nodes.voice import VoiceNode
from avatar_nodes.profile.conversation import (
    ConversationSection,
    ListenerSection,
    ReasonerSection,
    VoiceSection,
)
from avatar_nodes.profile.kiosk import KioskSection
from avatar_nodes.profile.visual_memory import MemorySection

OF_THE_GRAPH = {"sample_rate", "chunk_samples", "checkpoint", "persona_phrases"}
"""What every node gets from the same place."""
OF_THE_PROFILE = {"enabled", "label", "watermark"}
"""Whether there is a node at all, and what is marked, which another node may have done."""


def _range(section: type[BaseModel], key: str) -> tuple[Any, Any]:
    lowest = highest = None
    for bound in section.model_fields[key].metadata:
        assert not isinstance(bound, (annotated_types.Gt, annotated_types.Lt)), key
        if isinstance(bound, annotated_types.Ge):
            lowest = bound.ge
        if isinstance(bound, annotated_types.Le):
            highest = bound.le
    return lowest, highest


@pytest.mark.parametrize(
    ("section", "parameters"),
    [
        (ListenerSection, ListenerNode.PARAMETERS),
        (ReasonerSection, [p for p in ReasonerNode.PARAMETERS if p.name != "barge_in"]),
        (VoiceSection, VoiceNode.PARAMETERS),
        (MemorySection, MemoryNode.PARAMETERS),
        (
            KioskSection,
            [
                p
                for p in KioskNode.PARAMETERS
                if p.name in KioskSection.model_fields and p not in MARKING_PARAMETERS
            ],
        ),
        (
            ConversationSection,
            [p for p in CONDUCTOR_PARAMETERS if p.name in ConversationSection.model_fields],
        ),
    ],
)
def test_a_section_is_its_node_s_parameters(
    section: type[BaseModel], parameters: list[NodeParameter]
) -> None:
    known = {p.name: p for p in parameters if p.name not in OF_THE_GRAPH}
    assert set(section.model_fields) - OF_THE_PROFILE == set(known)
    values = section().model_dump()
    for name, parameter in known.items():
        assert values[name] == parameter.default or (values[name], parameter.default) == ([], [""])
        lowest, highest = _range(section, name)
        if lowest is not None and parameter.lowest is not None:
            assert (lowest, highest) == (parameter.lowest, parameter.highest), name
        if parameter.choices:
            choices = get_args(section.model_fields[name].annotation)
            assert set(choices) == set(parameter.choices), name
