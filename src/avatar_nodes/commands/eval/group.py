"""`avatar eval`: one sub-command for each measurement of quality."""

from __future__ import annotations

import click

from avatar_nodes.cli import LazyGroup

_COMMANDS = {
    "sync": ("avatar_nodes.commands.eval.sync", "Does the mouth follow the speech?"),
    "identity": ("avatar_nodes.commands.eval.identity", "Does the person stay the person?"),
    "actions": ("avatar_nodes.commands.eval.actions", "Do prompted actions happen?"),
    "stillness": ("avatar_nodes.commands.eval.stillness", "Do walls and clothes stay still?"),
    "sharpness": ("avatar_nodes.commands.eval.sharpness", "Are faces, hands and things sharp?"),
    "photo": ("avatar_nodes.commands.eval.photo", "Does a picture of somebody come to life?"),
    "video": ("avatar_nodes.commands.eval.video", "Does a finished video's mouth follow?"),
    "quality": ("avatar_nodes.commands.eval.quality", "How good are the pictures?"),
    "long": ("avatar_nodes.commands.eval.long", "Does it hold for hours?"),
    "memory": (
        "avatar_nodes.commands.eval.visual_memory",
        "Does a thing that returns look the same?",
    ),
    "keyframes": ("avatar_nodes.commands.eval.key_frames", "What does long memory keep?"),
    "prompt": ("avatar_nodes.commands.eval.prompt", "How soon is a new prompt seen?"),
    "ablation": ("avatar_nodes.commands.eval.ablation", "What is each part of the method worth?"),
}


@click.group("eval", cls=LazyGroup, lazy=_COMMANDS)
def command() -> None:
    """Measure the quality of a model, on people and sentences that training never saw.

    Prints a Markdown table; --json writes the same figures, and more of them, to a file.
    """
