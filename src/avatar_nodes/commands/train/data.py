"""`avatar train data` and `encode`: the data that the other stages learn from."""

from __future__ import annotations

from pathlib import Path

import click

from avatar_nodes.commands.train.options import (
    in_parallel,
    recipe_of,
    run_options,
)


@click.command("data")
@run_options
@click.option(
    "--videos",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of talking-head videos to prepare, instead of the tiny world.",
)
@click.option(
    "--syncnet",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Public SyncNet weights (syncnet_v2): leave out videos whose lips do not fit the sound.",
)
def data(
    run: Path, config: Path | None, threads: int, videos: Path | None, syncnet: Path | None
) -> None:
    """Write clips to shards: the tiny world's, or real videos; goes on where it stopped."""
    if syncnet is not None and videos is None:
        raise click.UsageError("--syncnet is for --videos: the tiny world is in sync")
    with recipe_of(config, threads) as recipe:
        from avatar_nodes.training.data.shards.build import build_shards

        shards = run / "shards"
        if videos is None:
            jobs = recipe.data.jobs(recipe.architecture.timing)
            reports = build_shards(shards, jobs, processes=threads, say=click.echo)
            click.echo(f"{sum(report['clips'] for report in reports)} clips in {shards}")
            return
        from avatar_nodes.training.data.videos.prepare import write_videos

        for line in write_videos(
            recipe.videos, videos, shards, timing=recipe.architecture.timing, syncnet=syncnet,
            processes=threads, say=click.echo,
        ):  # fmt: skip
            click.echo(line)


@click.command("encode")
@run_options
def encode(run: Path, config: Path | None, threads: int) -> None:
    """Encode the clips of the shards once, for all stages of the transformer.

    With the recipe's published weights, if it has any, else with the autoencoder of the stage vae.
    """
    with recipe_of(config, threads) as recipe:
        from avatar_nodes.training.data.encoding import write_encoded
        from avatar_nodes.training.data.shards.clips import ShardClips

        if recipe.published is not None:  # complains here rather than in every process
            recipe.published.check_encoders()
        for split in ("train", "val"):
            if split == "val" and not any((run / "shards").glob("val-*.tar")):
                continue
            ShardClips(run / "shards", split)  # complains here rather than in every process
            in_parallel(
                write_encoded, threads, folder=run / "encoded", shards=run / "shards",
                vae_folder=run / "vae" / "vae", split=split,
                weights=None if recipe.published is None else recipe.published.folder,
                hearings=recipe.hearings if split == "train" else 0,
            )  # fmt: skip
