"""config/analyzers.yaml sorts the status of every node, of any avatar, into one place."""

from __future__ import annotations

import re

import yaml

from avatar_nodes.graph.graph import Graph
from avatar_nodes.profile import NODE_KINDS, load_profile, with_values
from avatar_nodes.profile.resources import share_path


def _analyzers() -> dict[str, dict[str, str | list[str]]]:
    document = yaml.safe_load(share_path("config", "analyzers.yaml").read_text())
    parameters = document["analyzers"]["ros__parameters"]
    return {name: entry for name, entry in parameters.items() if isinstance(entry, dict)}


def test_every_status_of_the_graph_matches_one_analyzer() -> None:
    """A node reports under its full name (`nodes/base/heartbeat.py`)."""
    sections = ("memory", "archive", "loudspeaker", "kiosk")
    profile = with_values(load_profile("tiny"), {name: {"enabled": True} for name in sections})
    profiles = profile, with_values(profile, {"realtime": {"enabled": True}})
    nodes = [
        node
        for each in profiles
        for node in Graph.from_profile(each, mode="converse", out="video.mp4").nodes
    ]
    assert {node.kind for node in nodes} == set(NODE_KINDS)
    for namespace in ("/avatar", "/hall/voice", "/memory"):
        for node in nodes:
            status = f"{namespace}/{node.name}"
            matching = [
                name
                for name, entry in _analyzers().items()
                if any(re.fullmatch(pattern, status) for pattern in entry["regex"])
            ]
            assert len(matching) == 1, (status, matching)


def test_each_has_what_a_generic_analyzer_needs() -> None:
    entries = _analyzers().values()
    assert {entry["type"] for entry in entries} == {"diagnostic_aggregator/GenericAnalyzer"}
    assert len({str(entry["path"]) for entry in entries}) == len(entries) == 3
