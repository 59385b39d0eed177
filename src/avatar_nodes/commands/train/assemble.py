"""`avatar train assemble`: one checkpoint folder from the trained parts."""

from __future__ import annotations

from pathlib import Path

import click

from avatar_nodes.commands.train.options import (
    recipe_of,
    run_options,
)


@click.command("assemble")
@run_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Checkpoint folder.")
def assemble(run: Path, config: Path | None, threads: int, out: Path) -> None:
    """Gather the trained parts into one checkpoint folder, with a reference picture.

    Of a run on published weights: a folder with what was trained, and the profile that serves it.
    """
    with recipe_of(config, threads) as recipe:
        from avatar_nodes.training.stages.assemble import assemble_checkpoint, assemble_published

        lines = assemble_checkpoint(run, out)
        if recipe.published is not None:
            sink_from = 1 if recipe.distill.adaptive_sink else None
            lines = assemble_published(
                run, out, recipe.published, sigmas=recipe.sigmas, aas_from_block=sink_from
            )
        for line in lines:
            click.echo(line)
