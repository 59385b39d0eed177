"""The `avatar` command. Commands are imported when they are called, so that `--help` is instant."""

from __future__ import annotations

import importlib
from typing import Any

import click

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.errors.missing_package import what_to_install

# name -> (where its click command is, see `LazyGroup`; one line for the list)
_COMMANDS = {
    "up": ("avatar_nodes.commands.up", "Run an avatar until Ctrl-C."),
    "render": ("avatar_nodes.commands.render", "Turn a sound file into a video of the avatar."),
    "converse": ("avatar_nodes.commands.converse", "Let a scripted visitor talk with the avatar."),
    "health": ("avatar_nodes.commands.health", "Say whether a running avatar is well."),
    "service": ("avatar_nodes.commands.service", "Run the avatar from the start of the machine."),
    "say": ("avatar_nodes.commands.say", "Let a running avatar say something."),
    "perform": ("avatar_nodes.commands.perform", "Let a running avatar do something."),
    "record": ("avatar_nodes.commands.record", "Start or stop recording a running avatar."),
    "verify": ("avatar_nodes.commands.verify", "Say whether a file is marked as AI generated."),
    "sign": ("avatar_nodes.commands.sign", "Add C2PA content credentials to a video."),
    "hear": ("avatar_nodes.commands.hear", "Say what the avatar understands of sound files."),
    "models": ("avatar_nodes.commands.models", "List, fetch and verify model files."),
    "people": ("avatar_nodes.commands.people", "List the people that are shipped."),
    "check": ("avatar_nodes.commands.check", "Report what this machine has and lacks."),
    "profile": ("avatar_nodes.commands.profile", "Show or explain profiles."),
    "graph": ("avatar_nodes.commands.graph", "Draw the graph of nodes, or list its topics."),
    "bench": ("avatar_nodes.commands.bench.group", "Measure speed."),
    "train": ("avatar_nodes.commands.train.group", "Train the models."),
    "eval": ("avatar_nodes.commands.eval.group", "Measure quality."),
}


class LazyGroup(click.Group):
    """A group whose commands live in modules that are imported on first use.

    `lazy` maps a command's name to where it lives and its one-line help: a module whose attribute
    `command` is the click command, or `module:attribute`.
    """

    def __init__(self, *, lazy: dict[str, tuple[str, str]], **attributes: object) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type]
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *self._lazy]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute or "command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by their one line, without importing any."""
        rows = [(name, text) for name, (_, text) in self._lazy.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class _Avatar(LazyGroup):
    """Says in one line what a command lacks on this machine."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            from avatar_nodes.graph.environment import adopt_home

            adopt_home()
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise click.ClickException(str(error)) from None
        except ImportError as error:
            if (line := what_to_install(error)) is None:
                raise
            raise click.ClickException(line) from None


main = _Avatar(
    name="avatar",
    lazy=_COMMANDS,
    help="A talking avatar as a graph of ROS 2 nodes.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
main = click.version_option(package_name="avatar_nodes", prog_name="avatar")(main)

if __name__ == "__main__":
    main()
