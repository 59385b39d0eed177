"""Several nodes in one process: `--nodes NAME:KIND,NAME:KIND --ros-args ...`."""

from __future__ import annotations

import argparse
import importlib
import sys

from avatar_nodes.errors.configuration_error import EXIT_MISCONFIGURED, ConfigurationError
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.run_nodes import leave, run_nodes
from avatar_nodes.profile import NODE_KINDS


class ContainerError(ConfigurationError):
    """A list of nodes that cannot be run."""


def parse_nodes(text: str) -> list[tuple[str, str]]:
    """`a:denoiser,b:decoder` -> name and kind of each.

    Raises:
        ContainerError: an entry without a name or of no known kind, or a name that comes twice.
    """
    entries = [tuple(entry.split(":")) for entry in text.split(",")]
    for entry in entries:
        if len(entry) != 2 or not entry[0] or entry[1] not in NODE_KINDS:
            wanted = ", ".join(NODE_KINDS)
            raise ContainerError(f"'{':'.join(entry)}': expected NAME:KIND, KIND one of {wanted}")
    names = [entry[0] for entry in entries]
    if len(set(names)) != len(names):
        raise ContainerError(f"a name comes twice in {', '.join(names)}")
    return [(entry[0], entry[1]) for entry in entries]


def node_class(kind: str) -> type[AvatarNode]:
    """The class of a kind of node."""
    module = importlib.import_module(f"avatar_nodes.nodes.{kind}")
    found: type[AvatarNode] = getattr(module, f"{kind.capitalize()}Node")
    return found


def main() -> None:
    """Run the nodes that the command line names; see `run_nodes`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", required=True, metavar="NAME:KIND,...")
    options, _ = parser.parse_known_args()
    try:
        nodes = [(name, node_class(kind)) for name, kind in parse_nodes(options.nodes)]
    except ContainerError as error:
        print(f"container: {error}", file=sys.stderr)
        leave(EXIT_MISCONFIGURED)
    leave(run_nodes(nodes))


if __name__ == "__main__":
    main()
