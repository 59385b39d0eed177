"""`avatar train vae`, `decoder` and `sharpen`: the video autoencoder."""

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


def _report_quality(vae: Path, shards: Path) -> None:
    """Say how well an autoencoder shows the test split, and keep it beside the weights."""
    from avatar_nodes.evaluation.report import write_json
    from avatar_nodes.training.export_quality import reconstruction_quality

    if not any(shards.glob("test-*.tar")):
        click.echo("no clips of the test split to measure the autoencoder on")
        return
    figures = reconstruction_quality(vae, shards)
    write_json(vae.parent / "quality.json", figures)
    click.echo("test split: PSNR {vae_psnr:.2f} dB, SSIM {vae_ssim:.3f}".format(**figures))


@click.command("vae")
@resumable
@start_option
def vae(run: Path, config: Path | None, threads: int, resume: bool, start: Path | None) -> None:
    """Train the video autoencoder."""
    with recipe_of(config, threads) as recipe:
        from avatar_nodes.training.stages.vae import train_vae

        folder, shards = run / "vae", run / "shards"
        if train_vae(recipe.vae, shards=shards, folder=folder, resume=resume, start=start):
            _report_quality(folder / "vae", shards)


@click.command("decoder")
@resumable
@start_option
def decoder(run: Path, config: Path | None, threads: int, resume: bool, start: Path | None) -> None:
    """Train a decoder that looks at the reference picture, the encoder kept.

    It begins as the export of the stage vae, or as --start. Latents stay what they are, and with
    them encoded clips and the transformer.
    """
    with recipe_of(config, threads) as recipe:
        tiny_only(recipe, "decoder")
        from avatar_nodes.training.stages.vae import train_vae

        folder, shards = run / "decoder", run / "shards"
        start = start or run / "vae" / "vae"
        if train_vae(recipe.decoder, shards=shards, folder=folder, resume=resume, start=start):
            _report_quality(folder / "vae", shards)


@click.command("sharpen")
@resumable
@click.option(
    "--start",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Begin from the decoder of this autoencoder; its encoder must be that of the stage vae.",
)
def sharpen(run: Path, config: Path | None, threads: int, resume: bool, start: Path | None) -> None:
    """Train the decoder on, the encoder kept, so that encoded clips stay valid.

    It begins as --start, or as the export of the stage decoder, or of vae, and decodes also what
    the transformer makes of blocks: the last one trained, of distill, compressor or causal.
    """
    with recipe_of(config, threads) as recipe:
        tiny_only(recipe, "sharpen")
        from avatar_nodes.training.stages.assemble import newest_export
        from avatar_nodes.training.stages.sharpen import train_sharpen

        looking = run / "decoder" / "vae"
        if start is None and looking.is_dir():
            start = looking
        if train_sharpen(
            recipe.sharpen, shards=run / "shards", clips=encoded_clips(run), folder=run / "sharpen",
            vae=run / "vae" / "vae", start=start, denoiser=newest_export(run), sigmas=recipe.sigmas,
            resume=resume,
        ):  # fmt: skip
            _report_quality(run / "sharpen" / "vae", run / "shards")
