"""The launch file: statically everywhere, as actions where launch_ros is installed."""

from __future__ import annotations

import ast
import importlib.util
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from avatar_nodes.graph.discovery import RANGE
from avatar_nodes.graph.graph import Graph
from avatar_nodes.profile import load_profile
from avatar_nodes.profile.resources import share_directory

FILE = share_directory() / "launch" / "avatar.launch.py"
ARGUMENTS = {
    "profile", "namespace", "mode", "audio", "reference", "prompt", "out", "params_file",
    "autostart", "use_respawn", "log_level", "kiosk", "only", "without",
    "network",
}  # fmt: skip

needs_launch = pytest.mark.skipif(
    importlib.util.find_spec("launch_ros") is None,
    reason="launch_ros is not on PyPI; it comes with a ROS 2 distribution",
)


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("avatar_launch", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_argument_has_a_name_a_default_and_a_description() -> None:
    calls = [
        node
        for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "DeclareLaunchArgument"
    ]
    names = set()
    for call in calls:
        name = ast.literal_eval(call.args[0])
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        assert "default_value" in keywords, name
        assert ast.literal_eval(keywords["description"]).strip(), name
        names.add(name)
    assert names == ARGUMENTS


def _nodes(**given: str) -> list[Any]:
    """The Node actions of the graph that these arguments make."""
    from launch import LaunchContext
    from launch_ros.actions import Node

    module = _load()
    context = LaunchContext()
    for entity in module.generate_launch_description().entities[:-1]:
        context.launch_configurations[entity.name] = given.get(
            entity.name, "".join(part.text for part in entity.default_value)
        )
    entities = module._launch_graph(context)
    return [entity for entity in entities if isinstance(entity, Node)]


@pytest.fixture(autouse=True)
def _parameter_files_in_the_test_s_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@needs_launch
def test_it_launches_the_processes_of_the_graph(tmp_path: Path) -> None:
    out = tmp_path / "o.mp4"
    nodes = _nodes(mode="render", audio="speech.wav", out=str(out), namespace="/robot")
    graph = Graph.from_profile(
        load_profile("tiny"), mode="render", audio="speech.wav", out=out, namespace="/robot"
    )
    assert [node.node_executable for node in nodes] == [
        process.nodes[0].kind for process in graph.processes
    ]
    assert [node._Node__node_name for node in nodes] == [node.name for node in graph.nodes]
    assert {node._Node__node_namespace for node in nodes} == {"/robot"}


@needs_launch
def test_respawn_follows_the_argument_and_else_the_profile(tmp_path: Path) -> None:
    def respawns(**given: str) -> set[bool]:
        return {node._ExecuteLocal__respawn for node in _nodes(**given)}

    assert respawns() == {True}
    assert respawns(use_respawn="false") == {False}
    never = tmp_path / "never.yaml"
    never.write_text("extends: tiny\nrestart: {respawn: false}\n")
    assert respawns(profile=str(never)) == {False}
    assert respawns(profile=str(never), use_respawn="true") == {True}


@needs_launch
def test_it_keeps_to_this_machine_unless_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RANGE)

    def ranges(**given: str) -> set[str]:
        return {
            "".join(part.text for part in value)
            for node in _nodes(**given)
            for name, value in node.additional_env
            if "".join(part.text for part in name) == RANGE
        }

    assert ranges() == {"LOCALHOST"}
    assert ranges(network="true") == {"SUBNET"}
    monkeypatch.setenv(RANGE, "SYSTEM_DEFAULT")
    assert ranges() == set()
