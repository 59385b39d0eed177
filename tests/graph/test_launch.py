"""The launch file: statically everywhere, as actions where launch_ros is installed."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from support.ament_prefix import ament_prefix
from support.process_group import ProcessGroup
from support.waiting import wait_until

from avatar_nodes.graph.discovery import RANGE
from avatar_nodes.graph.graph import Graph, GraphError
from avatar_nodes.profile import load_profile
from avatar_nodes.profile.resources import share_directory

FILE = share_directory() / "launch" / "avatar.launch.py"
ARGUMENTS = {
    "profile", "namespace", "mode", "audio", "reference", "prompt", "out", "params_file",
    "autostart", "use_respawn", "log_level", "kiosk", "only", "without",
    "network", "use_sim_time",
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


@pytest.mark.parametrize("file", [FILE, *(share_directory() / "examples").glob("*.py")], ids=str)
def test_what_it_imports_of_ours_is_there(file: Path) -> None:
    """Also where no launch_ros would notice."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("avatar_"):
            module = importlib.import_module(node.module or "")
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


def _text(value: Any) -> str:
    """Of a plain text, or of a substitution that is one."""
    return value if isinstance(value, str) else "".join(part.text for part in value)


def _nodes(pushed: str = "", **given: str) -> list[Any]:
    """The Node actions of the graph that these arguments make, below a namespace that is pushed."""
    from launch import LaunchContext
    from launch_ros.actions import Node

    module = _load()
    context = LaunchContext()
    if pushed:
        context.launch_configurations["ros_namespace"] = pushed
    for entity in module.generate_launch_description().entities[:-1]:
        context.launch_configurations[entity.name] = given.get(
            entity.name, "".join(part.text for part in entity.default_value)
        )
    entities = module._launch_graph(context)
    return [entity for entity in entities if isinstance(entity, Node)]


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


@needs_launch
@pytest.mark.parametrize(
    ("pushed", "given", "whole"),
    [
        ("", {}, "/avatar"),
        ("", {"namespace": "left"}, "/left"),
        ("/robot", {}, "/robot/avatar"),
        ("/robot", {"namespace": ""}, "/robot"),
        ("/robot", {"namespace": "/avatar"}, "/avatar"),
    ],
)
def test_a_pushed_namespace_nests_it(pushed: str, given: dict[str, str], whole: str) -> None:
    nodes = _nodes(pushed, **given)
    assert {node._Node__node_namespace for node in nodes} == {whole}
    (parameters,) = nodes[0]._Node__parameters
    sections = yaml.safe_load(Path(_text(parameters.param_file)).read_text())
    assert {section.rpartition("/")[0] for section in sections} == {whole}


@needs_launch
@pytest.mark.parametrize(("given", "count"), [({}, 0), ({"use_sim_time": "true"}, 1)])
def test_simulated_time_is_an_argument(given: dict[str, str], count: int) -> None:
    for node in _nodes(**given):
        words = [_text(word) for word in node._Node__ros_arguments]
        assert words.count("use_sim_time:=true") == count


@needs_launch
def test_a_parameter_file_that_cannot_work_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="No such file"):
        _nodes(params_file=str(tmp_path / "none.yaml"))
    misspelled = tmp_path / "own.yaml"
    misspelled.write_text("/avatar/presenter: {ros__parameters: {jpg_quality: 50}}")
    with pytest.raises(GraphError, match=r"did you mean jpeg_quality\?"):
        _nodes(params_file=str(misspelled))


LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
source = PythonLaunchDescriptionSource(sys.argv[1])
given = [tuple(word.split(":=")) for word in sys.argv[2:]]
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=given)])
)
sys.exit(service.run())
"""
"""As `ros2 launch` runs a file, without the command, which is another package."""


@pytest.fixture
def launch_environment(tmp_path: Path) -> dict[str, str]:
    """The package's executables, where the tree is not installed; temporary files by themselves."""
    prefix, found = ament_prefix(tmp_path), os.environ.get("AMENT_PREFIX_PATH", "")
    (tmp_path / "tmp").mkdir()
    return {
        "AMENT_PREFIX_PATH": f"{prefix}{os.pathsep}{found}",
        "TMPDIR": str(tmp_path / "tmp"),
        "ROS_LOG_DIR": str(tmp_path / "log"),
    }


@needs_launch
def test_a_node_that_cannot_start_ends_it_with_its_reason_last(
    tmp_path: Path,
    processes: ProcessGroup,
    ros_domain: int,
    launch_environment: dict[str, str],
) -> None:
    launched = processes.start(
        [sys.executable, "-c", LAUNCH, FILE, "only:=microphone,conductor,presenter",
         "audio:=/no/such/sound.wav"],
        name="launch", env=launch_environment,
    )  # fmt: skip
    assert launched.wait(timeout=120) == 1
    lines = processes.log("launch").rstrip().splitlines()
    assert "[FATAL] [microphone]: /no/such/sound.wav: " in lines[-1]
    assert "Traceback" not in "\n".join(lines), "the others ended without one"
    assert [*(tmp_path / "tmp").glob("*")] == []


@needs_launch
def test_nothing_stays_after_sigterm(
    tmp_path: Path,
    processes: ProcessGroup,
    ros_domain: int,
    launch_environment: dict[str, str],
) -> None:
    launched = processes.start(
        [sys.executable, "-c", LAUNCH, FILE, "only:=timeline", "mode:=converse"],
        name="launch", env=launch_environment,
    )  # fmt: skip
    wait_until(lambda: "started with pid" in processes.log("launch"), what="a process")
    launched.send_signal(signal.SIGTERM)
    assert launched.wait(timeout=60) != 0
    assert [*(tmp_path / "tmp").glob("*")] == []
