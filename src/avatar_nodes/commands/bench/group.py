"""`avatar bench`: one sub-command for each measurement of speed."""

from __future__ import annotations

from avatar_nodes.cli import LazyGroup

command = LazyGroup(
    name="bench",
    lazy={
        "gpu": (
            "avatar_nodes.commands.bench.gpu",
            "The parts of the 14B model on a GPU, with random weights.",
        ),
        "graph": (
            "avatar_nodes.commands.bench.graph",
            "The graph against the loop in one process.",
        ),
        "kiosk": (
            "avatar_nodes.commands.bench.kiosk",
            "The page in a real browser, conversing.",
        ),
        "restart": (
            "avatar_nodes.commands.bench.restart",
            "How soon a killed process is back.",
        ),
        "soak": (
            "avatar_nodes.commands.bench.soak",
            "Hours with visitors and accidents, and what was lost.",
        ),
        "turn": (
            "avatar_nodes.commands.bench.turn",
            "How soon the avatar answers, and how soon it stops.",
        ),
        "marking": (
            "avatar_nodes.commands.bench.marking",
            "What the watermark costs and survives.",
        ),
    },
    help="Measure speed.",
)
