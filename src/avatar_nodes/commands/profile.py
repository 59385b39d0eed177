"""`avatar profile`: the profiles that there are, what one of them says, what each key means."""

from __future__ import annotations

import click

from avatar_nodes.commands.graph_options import plain_errors


@click.command("profile")
@click.argument("name", required=False, metavar="[NAME|FILE]")
@click.option("--reference", is_flag=True, help="Print what every key means, as Markdown.")
def command(name: str | None, reference: bool) -> None:
    """Show profiles.

    Without an argument: the names of the shipped profiles. With one: the profile validated and in
    full, with what it extends and every default filled in; or one line for each thing wrong with
    it.
    """
    from avatar_nodes.profile import load_profile, profile_names

    with plain_errors():
        if reference:
            from avatar_nodes.profile.reference import reference_markdown

            click.echo(reference_markdown(), nl=False)
        elif name is None:
            click.echo("\n".join(profile_names()))
        else:
            import yaml

            values = load_profile(name).model_dump()
            click.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), nl=False)
