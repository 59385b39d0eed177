"""`avatar eval`: one sub-command for each measurement of quality."""

from __future__ import annotations

import click

from avatar_nodes.cli import LazyGroup

_COMMANDS = {
    "sync": ("avatar_nodes.commands.eval_sync", "Does the mouth follow the speech?"),
}


@click.group("eval", cls=LazyGroup, lazy=_COMMANDS)
def command() -> None:
    """Measure the quality of a model, on people and sentences that training never saw.

    Prints a Markdown table; --json writes the same figures, and more of them, to a file.
    """
