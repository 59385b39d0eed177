"""`avatar people`: whom `--reference` can name."""

from __future__ import annotations

import click

from avatar_nodes.commands.graph_options import plain_errors


@click.command("people")
def command() -> None:
    """List the people that are shipped.

    Each is one for `--reference NAME`, and for the profile's key `stream.reference`. None of them
    exists. A picture of your own works as well: `--reference FILE`.
    """
    from avatar_nodes.profile.people import shipped_people

    with plain_errors():
        for person in shipped_people():
            click.echo(f"{person.name:<8} {person.looks:<58} {person.picture}")
