"""`avatar service`: runs the avatar from the start of the machine, by systemd."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_LINGER = "it starts when you log in; to start it with the machine: loginctl enable-linger"


@click.group("service")
def command() -> None:
    """Run the avatar from the start of the machine, as a user service of systemd."""


def _check_name(context: click.Context, parameter: click.Parameter, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise click.BadParameter(f"expected letters, digits, - and _, got {name!r}")
    return name


_name_option = click.option(
    "--name", default="avatar", show_default=True, callback=_check_name,
    help="Name of the service: another one for each avatar on this machine.",
)  # fmt: skip


@command.command("install", context_settings={"ignore_unknown_options": True})
@_name_option
@click.option("--no-start", is_flag=True, help="Write the unit, and leave the rest to you.")
@click.argument("up_arguments", nargs=-1, metavar="[-- ARGUMENTS OF AVATAR UP]")
def install(name: str, no_start: bool, up_arguments: tuple[str, ...]) -> None:
    """Write the unit, start it, and have it started from now on.

    Relative paths are below the present folder. What is after `--` goes to `avatar up`:
    avatar service install -- --mode converse --kiosk
    """
    unit = _unit_file(name)
    text = unit_text(
        _template(), name=name, words=[_program(), "up", *up_arguments], folder=Path.cwd()
    )
    unit.parent.mkdir(parents=True, exist_ok=True)
    unit.write_text(text)
    click.echo(f"wrote {unit}")
    if no_start:
        return
    _systemctl("daemon-reload")
    _systemctl("enable", unit.name)
    _systemctl("restart", "--no-block", unit.name)
    click.echo(f"{unit.name} is starting; {_LINGER}")


@command.command("status")
@_name_option
def status(name: str) -> None:
    """Say how the service is; exit code 0: it runs."""
    unit = _unit_file(name)
    if not unit.is_file():
        raise click.ClickException(f"there is no {unit}: avatar service install")
    raise SystemExit(_run(["status", "--no-pager", unit.name]).returncode)


@command.command("remove")
@_name_option
def remove(name: str) -> None:
    """Stop the service, and remove its unit."""
    unit = _unit_file(name)
    if not unit.is_file():
        raise click.ClickException(f"there is no {unit}")
    _systemctl("disable", "--now", unit.name)
    unit.unlink()
    _systemctl("daemon-reload")
    click.echo(f"removed {unit}")


def unit_text(template: str, *, name: str, words: Sequence[str], folder: Path) -> str:
    """The unit of a service that runs `words` in `folder`."""
    values = {
        "{name}": name,
        "{command}": " ".join(_quoted(word) for word in words),
        "{folder}": str(folder).replace("%", "%%"),
    }
    return re.sub(r"\{\w+\}", lambda found: values.get(found[0], found[0]), template)


def _quoted(word: str) -> str:
    """A word as systemd reads it: nothing in it is a variable, a specifier, or two words.

    Raises:
        click.ClickException: it has a line break or another control character.
    """
    if not word.isprintable():
        raise click.ClickException(f"expected words of one line, got {word!r}")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    plain = re.fullmatch(r"[\w@%+=:,./-]+", escaped)
    return escaped if plain else f'"{escaped}"'


def _template() -> str:
    from avatar_nodes.profile.resources import share_path

    return share_path("config", "systemd", "avatar.service").read_text()


def _unit_file(name: str) -> Path:
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "systemd" / "user" / f"{name}.service"


def _program() -> str:
    """The `avatar` program of the environment that this runs in."""
    program = Path(sys.executable).with_name("avatar")
    if not program.is_file():
        raise click.ClickException(
            "in the ROS way systemd has to source the workspace first: docs/kiosk.md has a unit"
        )
    return str(program)


def _systemctl(*words: str) -> None:
    done = _run(words)
    if done.returncode:
        raise click.ClickException(f"systemctl --user {' '.join(words)} failed")


def _run(words: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("systemctl")
    if program is None:
        raise click.ClickException("there is no systemctl: this machine has no systemd")
    return subprocess.run([program, "--user", *words], check=False)
