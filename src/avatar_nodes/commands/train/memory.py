"""`avatar train compressor` and `recall`: visual memory."""

from __future__ import annotations

from pathlib import Path

import click

from avatar_nodes.commands.train.options import (
    encoded_clips,
    recipe_of,
    resumable,
    start_option,
    tiny_only,
)


@click.command("compressor")
@resumable
@start_option
def compressor(
    run: Path, config: Path | None, threads: int, resume: bool, start: Path | None
) -> None:
    """Train visual memory: its compressor, and the transformer with it where the recipe says so.

    It begins as the causal stage's export, or --start.
    """
    with recipe_of(config, threads) as recipe:
        tiny_only(recipe, "compressor")
        from avatar_nodes.training.stages.compressor import train_compressor

        train_compressor(
            recipe.compressor, start=start or run / "causal" / "export", clips=encoded_clips(run),
            folder=run / "compressor", sigmas=recipe.sigmas, vae=run / "vae" / "vae", resume=resume,
        )  # fmt: skip


@click.command("recall")
@resumable
@start_option
def recall(run: Path, config: Path | None, threads: int, resume: bool, start: Path | None) -> None:
    """Train visual memory for the distilled model, which knows none: by default its compressor
    alone, the transformer stays as it is.

    It begins as the last transformer trained, of distill, compressor or causal, or as --start. A
    memory of another kind than the recipe's makes way for a new one.
    """
    with recipe_of(config, threads) as recipe:
        tiny_only(recipe, "recall")
        from avatar_nodes.training.stages.assemble import newest_export
        from avatar_nodes.training.stages.compressor import train_compressor

        train_compressor(
            recipe.recall, start=start or newest_export(run, before="recall"),
            clips=encoded_clips(run), folder=run / "recall", sigmas=recipe.sigmas,
            vae=run / "vae" / "vae", resume=resume,
            renew=True,
        )  # fmt: skip
