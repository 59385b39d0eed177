"""Checks a ROS parameter file before a graph starts with it: rcl passes over what it misspells, and
over a value of another type than the file below it has."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from avatar_nodes.graph.graph import Graph, GraphError
from avatar_nodes.graph.node_spec import NodeSpec
from avatar_nodes.profile.explain import explain

_OF_ROS = ("use_sim_time", "start_type_description_service")
_OF_ROS_PREFIXES = ("qos_overrides.", "diagnostic_updater.")
_PARAMETERS = "ros__parameters"


def check_params_file(graph: Graph, file: Path) -> None:
    """Check that `file` is a parameter file, that it is for nodes of `graph` (sections for others
    are passed over), and that these have the parameters that it names.

    Below `/**`, which may be for other nodes as well, a parameter that none of ours has is taken
    for a misspelled one only where it is close to one of theirs.

    Raises:
        GraphError: it is not so; one line that names the file and what is wrong.
    """
    sections = dict(_sections(_read(file), file))
    nodes = {f"{graph.namespace}/{node.name}": node for node in graph.nodes}
    meant = {
        section: [node for name, node in nodes.items() if re.fullmatch(_regex(section), name)]
        for section in sections
    }
    if not any(meant.values()):
        raise GraphError(
            f"{file}: has no section for a node of this avatar, such as {next(iter(nodes))};"
            f" it has {', '.join(sections)}"
        )
    for section, of in meant.items():
        if of:
            where, values = f"{file}: {section}", sections[section]
            _check_names(where, values, of, shared=section == "/**")
            for node in of:
                _check_values(where, values, node)


def _check_names(
    where: str, values: Mapping[str, Any], nodes: Sequence[NodeSpec], *, shared: bool
) -> None:
    known = {name for node in nodes for name in type(node.settings).parameter_fields()}
    for name in values.keys() - known - set(_OF_ROS):
        close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.75)
        if not name.startswith(_OF_ROS_PREFIXES) and (close or not shared):
            hint = f"; did you mean {close[0]}?" if close else ""
            raise GraphError(f"{where}: there is no parameter {name}{hint}")


def _check_values(where: str, values: Mapping[str, Any], node: NodeSpec) -> None:
    kind = type(node.settings)
    own = {name: values[name] for name in kind.parameter_fields().keys() & values.keys()}
    before = node.parameters
    for name, value in own.items():
        if isinstance(before[name], float) and type(value) is int:
            raise GraphError(f"{where}: {name}: expected a number with a point ({value}.0)")
    try:
        kind.from_parameters(before | own)
    except ValidationError as error:
        problem = explain(error.errors(include_url=False)[0], kind)
        raise GraphError(f"{where}: {problem}") from None


def _read(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise GraphError(f"{file}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        line = " ".join(str(error).split())
        raise GraphError(f"{file}: expected YAML: {line}") from None


def _sections(content: Any, file: Path, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each node's name, or a pattern for such, with its parameters."""
    if not isinstance(content, dict) or not content:
        raise GraphError(
            f"{file}: {path or 'the whole'}: expected {_PARAMETERS} below the names of nodes"
        )
    for name, value in content.items():
        if name == _PARAMETERS:
            if not isinstance(value, dict):
                raise GraphError(f"{file}: {path}: {_PARAMETERS}: expected parameters by name")
            yield path, dict(_flat(value))
        else:
            yield from _sections(value, file, f"{path}/{str(name).strip('/')}")


def _flat(parameters: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`a: {b: 1}` is the parameter `a.b`."""
    for name, value in parameters.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _regex(section: str) -> str:
    """`*` is one part of a name, `**` any number of them."""
    parts = (
        {"**": "(?:/[^/]+)*", "*": "/[^/]+"}.get(part, "/" + re.escape(part))
        for part in section.strip("/").split("/")
    )
    return "".join(parts)
