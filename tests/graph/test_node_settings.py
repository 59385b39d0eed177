"""Every key of the profile reaches the node that it is for, and no node says it a second time."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import avatar_nodes
from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.node_spec import NodeSpec
from avatar_nodes.profile import NODE_KINDS, load_profile, with_values
from avatar_nodes.profile.keys import constraints, profile_field, sections

GRAPH_S_OWN = {
    "archive.enabled", "kiosk.enabled", "loudspeaker.enabled", "memory.enabled", "network.open",
    "realtime.enabled",
    "placement.conductor.threads", "placement.processes",
    "restart.delay_s", "restart.grace_s", "restart.max_delay_s", "restart.max_restarts",
    "restart.respawn", "restart.silence_s", "restart.spare", "restart.stall_s",
    "restart.start_timeout_s", "restart.window_s",
}  # fmt: skip
"""Which nodes there are, in which processes, and what happens when one of these ends."""
DECIDED_BY_THE_GRAPH = {
    "archive.folder", "archive.label", "archive.watermark", "kiosk.label", "kiosk.title",
    "kiosk.watermark", "listener.phrases", "marking.file_label", "marking.file_watermark",
    "placement.denoisers.device", "placement.denoisers.steps", "placement.denoisers.threads",
    "stream.prompt", "stream.reference",
}  # fmt: skip
"""What a node is told may be another value: of the persona, of a list's entry, a path made whole, a
mark that an earlier node has put on."""


@pytest.fixture(scope="module")
def graphs() -> list[Graph]:
    """With a node of every kind: one that converses by itself, and one by a server."""
    sections = ("memory", "archive", "loudspeaker", "kiosk")
    profile = with_values(load_profile("tiny"), {name: {"enabled": True} for name in sections})
    by_server = with_values(profile, {"realtime": {"enabled": True}})
    return [
        Graph.from_profile(each, mode="converse", out="video.mp4") for each in (profile, by_server)
    ]


@pytest.fixture(scope="module")
def graph(graphs: list[Graph]) -> Graph:
    return graphs[0]


@pytest.fixture(scope="module")
def nodes(graphs: list[Graph]) -> dict[str, NodeSpec]:
    """One node of each kind."""
    return {node.kind: node for graph in reversed(graphs) for node in graph.nodes}


def test_every_key_is_some_node_s_parameter(nodes: dict[str, NodeSpec]) -> None:
    assert set(nodes) == set(NODE_KINDS)
    told = {path for node in nodes.values() for path in node.settings.profile_keys().values()}
    keys = {
        f"{place}.{name}"
        for place, section in sections()
        for name, field in section.model_fields.items()
        if not _is_section(field.annotation)
    }
    assert keys - told == GRAPH_S_OWN


def _is_section(annotation: Any) -> bool:
    inner = getattr(annotation, "__args__", (annotation,))
    return any(isinstance(each, type) and issubclass(each, BaseModel) for each in inner)


@pytest.mark.parametrize("kind", NODE_KINDS)
def test_a_parameter_is_the_key_as_the_profile_has_it(
    graph: Graph, nodes: dict[str, NodeSpec], kind: str
) -> None:
    settings = nodes[kind].settings
    for name, path in settings.profile_keys().items():
        field, key = type(settings).model_fields[name], profile_field(path)
        assert constraints(field) == constraints(key), path
        assert field.description == key.description, path
        assert field.get_default(call_default_factory=True, validated_data={}) == key.get_default(
            call_default_factory=True, validated_data={}
        ), path
        if path not in DECIDED_BY_THE_GRAPH:
            value: Any = graph.profile
            for part in path.split("."):
                value = getattr(value, part)
            assert getattr(settings, name) == value, path


@pytest.mark.parametrize("kind", NODE_KINDS)
def test_a_node_reads_the_settings_that_the_graph_has_for_it(
    nodes: dict[str, NodeSpec], kind: str
) -> None:
    pytest.importorskip("rclpy", reason="no ROS here")
    module = importlib.import_module(f"avatar_nodes.nodes.{kind}")
    (node,) = (
        each
        for each in vars(module).values()
        if isinstance(each, type) and getattr(each, "KIND", None) == kind
    )
    assert node.SETTINGS is type(nodes[kind].settings)


def test_no_node_declares_a_parameter_by_itself() -> None:
    source = Path(avatar_nodes.__file__).parent
    declaring = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr.startswith("declare_parameter")
    }
    assert declaring == {"nodes/base/parameters.py"}
