"""Options that several commands share, and the graph that they describe."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

profile_option = click.option(
    "--profile",
    "profile_name",
    default="tiny",
    show_default=True,
    metavar="NAME|FILE",
    help="Profile: a shipped one by name, or a YAML file.",
)
placement_option = click.option(
    "--placement",
    type=click.Choice(["profile", "separate", "single"]),
    default="profile",
    show_default=True,
    help="`separate`: one denoiser a step, every node a process; `single`: one process.",
)
json_option = click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures to this file, too.",
)


def write_figures(json_file: Path | None, figures: Mapping[str, Any]) -> None:
    """Write what `json_option` is asked for, if it is."""
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


_OPTIONS = (
    profile_option,
    click.option(
        "--reference",
        metavar="NAME|FILE",
        help="A person of `avatar people`, or your own picture, instead of the profile's person.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**63 - 1),
        help="Seed of the noise, instead of the profile's.",
    ),
    placement_option,
    click.option(
        "--params-file",
        "params_files",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="ROS parameter file laid over the profile's values. May be repeated.",
    ),
)
_PROMPT = click.option(
    "--prompt",
    help="What the person does, instead of the profile's prompt; not in a conversation, where the"
    " persona has its own.",
)
_LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")


def graph_options(*, log_level: str, prompt: bool = True) -> Callable[[Command], Command]:
    """Adds the options that every command with a graph has; `log_level` is that one's default.

    prompt: False for a command that only converses.
    """
    level = click.option(
        "--log-level",
        type=click.Choice(_LOG_LEVELS),
        default=log_level,
        show_default=True,
        help="Log level of the nodes.",
    )

    def add(command: Command) -> Command:
        for option in (level, *reversed(_OPTIONS), *([_PROMPT] if prompt else [])):
            command = option(command)
        return command

    return add


@contextmanager
def plain_errors(*more: type[Exception]) -> Iterator[None]:
    """Turn the errors that a user can cause, and `more`, into `Error: ...` and exit code 1."""
    from avatar_nodes.graph.graph import GraphError
    from avatar_nodes.profile import ProfileError
    from avatar_nodes.profile.people import UnknownPersonError
    from avatar_nodes.profile.resources import ResourceError

    kinds: tuple[type[Exception], ...] = (
        GraphError, ProfileError, ResourceError, UnknownPersonError, *more,
    )  # fmt: skip
    try:
        yield
    except kinds as error:
        raise click.ClickException(str(error)) from None


def require_ros() -> None:
    """Say in one line what is missing where ROS 2 or our messages are."""
    try:
        import rclpy  # noqa: F401
    except ImportError as error:
        raise click.ClickException(
            f"ROS 2 is not usable here ({error}); see `avatar check`"
        ) from None
    try:
        import avatar_msgs.msg  # noqa: F401
    except ImportError as error:
        raise click.ClickException(
            f"the message package avatar_msgs is not built ({error}); run `make setup`"
        ) from None
