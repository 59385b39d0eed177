"""Builds the command line, environment and parameter file of a process of the graph."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from avatar_nodes.graph.environment import SEGMENT, child_environment
from avatar_nodes.graph.graph import Graph, ProcessSpec

CONTAINER = "container"
_ROOM = 2048
"""Bytes of a spare process's command line, in whose place it shows that of the node it becomes."""


def executable(process: ProcessSpec) -> str:
    """The node's own executable, or the container where several nodes share the process."""
    return process.nodes[0].kind if len(process.nodes) == 1 else CONTAINER


def container_arguments(process: ProcessSpec) -> list[str]:
    """What the container is told: `--nodes name:kind,name:kind`; nothing for a node by itself."""
    if len(process.nodes) == 1:
        return []
    return ["--nodes", ",".join(f"{node.name}:{node.kind}" for node in process.nodes)]


def remapping_rules(process: ProcessSpec) -> list[tuple[str, str]]:
    """(from, to) of every remapped name; in a shared process each rule names its node."""
    alone = len(process.nodes) == 1
    return [
        (source if alone else f"{node.name}:{source}", target)
        for node in process.nodes
        for source, target in node.remappings.items()
    ]


def process_command(
    graph: Graph,
    process: ProcessSpec,
    params_files: Sequence[Path],
    log_level: str = "info",
) -> list[str]:
    """The command that runs one process of the graph without launch_ros.

    Args:
        params_files: ROS parameter files, later ones over earlier ones.
        log_level: of rclpy: debug, info, warn, error or fatal.
    """
    module = f"avatar_nodes.nodes.{executable(process)}"
    command = [sys.executable, "-m", module, *container_arguments(process), "--ros-args"]
    if len(process.nodes) == 1:
        command += ["-r", f"__node:={process.nodes[0].name}"]
    command += ["-r", f"__ns:={graph.namespace}"]
    for source, target in remapping_rules(process):
        command += ["-r", f"{source}:={target}"]
    for file in params_files:
        command += ["--params-file", str(file)]
    return [*command, "--log-level", log_level]


def spare_command(kinds: Sequence[str]) -> list[str]:
    """The command of a process that can become any of these kinds of nodes."""
    command = [sys.executable, "-m", "avatar_nodes.nodes.spare", "--kinds", ",".join(kinds)]
    return [*command, "--room", " " * _ROOM]


def process_environment(
    process: ProcessSpec, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of a process of the graph; what the user has set stays as it is, but for
    the secrets that are not for this process.

    Raises:
        ResourceError: the package is not installed whole.
    """
    wanted = {
        "OMP_NUM_THREADS": str(process.threads),
        # Threads that wait for one another must not spin: other nodes need the core.
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONUNBUFFERED": "1",
        SEGMENT: str(process.segment_bytes),
    }
    inherited = child_environment(base)
    return wanted | {k: v for k, v in inherited.items() if k not in process.withheld}


def parameters_of(graph: Graph) -> dict[str, dict[str, Any]]:
    """The parameters of all nodes in the layout of a ROS parameter file."""
    namespace = graph.namespace.rstrip("/")
    return {
        f"{namespace}/{node.name}": {"ros__parameters": dict(node.parameters)}
        for node in graph.nodes
    }


def write_parameters(graph: Graph, folder: Path) -> Path:
    """Write the graph's parameter file into `folder` and return its path."""
    file = folder / "parameters.yaml"
    file.write_bytes(parameters_text(graph))
    return file


def restore_parameters(graph: Graph, file: Path) -> None:
    """Write what `write_parameters` wrote again if it is gone, before a process needs it again.

    Systems clear /tmp of what was not used for some days, and an avatar runs for longer.
    """
    try:
        intact = file.read_bytes() == parameters_text(graph)
    except OSError:
        intact = False
    if not intact:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_parameters(graph, file.parent)


def parameters_text(graph: Graph) -> bytes:
    """The graph's parameter file."""
    text: str = yaml.dump(
        parameters_of(graph), Dumper=_NoAliases, allow_unicode=True, sort_keys=False
    )
    return text.encode("utf-8")


class _NoAliases(yaml.SafeDumper):
    """Writes out what occurs twice: rcl's parser knows no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
