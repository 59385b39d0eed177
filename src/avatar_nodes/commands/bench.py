"""`avatar bench`: one sub-command for each measurement of speed."""

from __future__ import annotations

from avatar_nodes.cli import LazyGroup

command = LazyGroup(
    name="bench",
    lazy={
        "graph": (
            "avatar_nodes.commands.bench_graph",
            "The graph against the loop in one process.",
        ),
    },
    help="Measure speed.",
)
