"""`avatar profile`: lists profiles, shows one, explains its keys."""

from __future__ import annotations

import click

from avatar_nodes.commands.graph_options import plain_errors


@click.command("profile")
@click.argument("name", required=False, metavar="[NAME|FILE]")
@click.option("--reference", is_flag=True, help="Print what every key means, as Markdown.")
@click.option(
    "--memory",
    is_flag=True,
    help="What it takes of each device's memory, computed from the sizes: nothing is downloaded.",
)
def command(name: str | None, reference: bool, memory: bool) -> None:
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
        elif memory:
            _print_memory(name)
        elif name is None:
            click.echo("\n".join(profile_names()))
        else:
            import yaml

            values = load_profile(name).model_dump()
            click.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), nl=False)


def _print_memory(name: str | None) -> None:
    from avatar_nodes.model.tensor_files import CheckpointError
    from avatar_nodes.pipeline.device_memory import memory_parts, memory_table
    from avatar_nodes.profile import load_profile

    if name is None:
        raise click.UsageError("--memory needs the name of a profile")
    try:
        parts = memory_parts(load_profile(name))
    except CheckpointError as error:
        raise click.ClickException(str(error)) from None
    if not parts:
        click.echo("A small model: it takes a few hundred megabytes, and no GPU.")
        return
    click.echo(memory_table(parts))
    click.echo(
        "Computed, not measured. On top come what kernels need while they run, and what CUDA takes"
        " for itself\n(about 0.5 GB for each process)."
    )
