"""A parameter file that rcl would take without a word, and not use, is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from avatar_nodes.graph.graph import Graph, GraphError
from avatar_nodes.graph.params_file import check_params_file
from avatar_nodes.graph.process_command import write_parameters
from avatar_nodes.profile import load_profile

GRAPH = Graph.from_profile(load_profile("tiny"), namespace="/robot/avatar")


def _check(folder: Path, text: str) -> None:
    file = folder / "own.yaml"
    file.write_text(text)
    check_params_file(GRAPH, file)


@pytest.mark.parametrize(
    "text",
    [
        "/robot/avatar/presenter: {ros__parameters: {jpeg_quality: 50}}",
        "robot: {avatar: {presenter: {ros__parameters: {jpeg_quality: 50}}}}",
        "/robot/*/presenter: {ros__parameters: {jpeg_quality: 50}}",
        "/**/presenter: {ros__parameters: {jpeg_quality: 50, use_sim_time: true}}",
        "/**: {ros__parameters: {jpeg_quality: 50, robot_description: x}}",
        "/**: {ros__parameters: {qos_overrides: {/clock: {subscription: {depth: 5}}}}}",
        "/robot/avatar/presenter: {ros__parameters: {}}\n/robot/arm: {ros__parameters: {reach: 1}}",
    ],
)
def test_what_is_right_is_taken(tmp_path: Path, text: str) -> None:
    _check(tmp_path, text)


def test_what_the_graph_writes_is_taken(tmp_path: Path) -> None:
    check_params_file(GRAPH, write_parameters(GRAPH, tmp_path))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("/robot/avatar/presenter: {ros__parameters: {jpg_quality: 50}}",
         "/robot/avatar/presenter: there is no parameter jpg_quality; did you mean jpeg_quality?"),
        ("/robot/avatar/presenter: {ros__parameters: {reach: 1}}", "no parameter reach"),
        ("/robot/avatar/*: {ros__parameters: {jpg_quality: 50}}", "did you mean jpeg_quality?"),
        ("/**: {ros__parameters: {jpg_quality: 50}}", "did you mean jpeg_quality?"),
        ("/robot/avatar/presenter: {ros__parameters: {jpeg_quality: 101}}",
         "jpeg_quality: expected a number not above 100, got 101"),
        ("/**/presenter: {ros__parameters: {autostart: 3}}", "expected true or false, got 3"),
        ("/**/presenter: {ros__parameters: {margin_s: 1}}", "a number with a point (1.0)"),
        ("presenter: {ros__parameters: {jpeg_quality: 50}}",
         "no section for a node of this avatar, such as /robot/avatar/microphone; it has"
         " /presenter"),
        ("/robot/avatar/presentr: {ros__parameters: {jpeg_quality: 50}}", "has no section for"),
        ("/robot/avatar/presenter: {jpeg_quality: 50}", "expected ros__parameters below"),
        ("/robot/avatar/presenter: {ros__parameters: 3}", "expected parameters by name"),
        ("a: [", "expected YAML"),
        ("", "the whole: expected ros__parameters"),
    ],
)  # fmt: skip
def test_what_is_misspelled_is_refused_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(GraphError) as refused:
        _check(tmp_path, text)
    assert why in str(refused.value) and "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"{tmp_path}/own.yaml: ")


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=r"none\.yaml: No such file or directory$"):
        check_params_file(GRAPH, tmp_path / "none.yaml")
    with pytest.raises(GraphError, match="Is a directory"):
        check_params_file(GRAPH, tmp_path)
