"""`avatar train`: one sub-command for each stage of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from avatar_nodes.training.recipe import Recipe


@click.group("train")
def command() -> None:
    """Train the tiny profile's models, stage by stage.

    The order is snippets, vae, clips, causal, sharpen, assemble. Every stage reads what the stages
    before left in the run folder; training can be stopped with Ctrl-C and goes on with --resume.
    """


def _options(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--run",
            type=click.Path(path_type=Path),
            default=Path("runs/tiny"),
            show_default=True,
            help="Folder of this training run.",
        ),
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            help="Recipe (YAML); default: the recipe of the shipped checkpoint.",
        ),
        click.option(
            "--threads", type=click.IntRange(1), default=2, show_default=True, help="CPU threads."
        ),
    ):
        function = option(function)
    return function


def _resumable(function: Callable[..., None]) -> Callable[..., None]:
    return click.option("--resume", is_flag=True, help="Go on from the last saved state.")(
        _options(function)
    )


@contextmanager
def _prepared(config: Path | None, threads: int) -> Iterator[Recipe]:
    import torch

    from avatar_nodes.training.recipe import RecipeError, read_recipe
    from avatar_nodes.training.run import TrainingDivergedError

    torch.set_num_threads(threads)
    try:
        yield read_recipe(config)
    except (RecipeError, TrainingDivergedError, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from error


def _in_parallel(work: Callable[..., None], parts: int, **arguments: Any) -> None:
    """Share rendering among processes; each takes every `parts`-th piece."""
    context = get_context("spawn")
    helpers = [
        context.Process(target=work, kwargs={**arguments, "part": part, "parts": parts})
        for part in range(parts)
    ]
    for helper in helpers:
        helper.start()
    for helper in helpers:
        helper.join()
    if any(helper.exitcode for helper in helpers):
        raise click.ClickException("a rendering process failed; see its message above")


@command.command()
@_options
def snippets(run: Path, config: Path | None, threads: int) -> None:
    """Render the autoencoder's training snippets."""
    with _prepared(config, threads) as recipe:
        from avatar_nodes.training.snippets import create_snippets, write_snippets

        create_snippets(run / "snippets", count=recipe.snippets.count)
        _in_parallel(write_snippets, threads, folder=run / "snippets", seed=recipe.snippets.seed)


@command.command()
@_resumable
def vae(run: Path, config: Path | None, threads: int, resume: bool) -> None:
    """Train the video autoencoder."""
    with _prepared(config, threads) as recipe:
        from avatar_nodes.training.vae import train_vae

        train_vae(recipe.vae, snippets=run / "snippets", folder=run / "vae", resume=resume)


@command.command()
@_options
def clips(run: Path, config: Path | None, threads: int) -> None:
    """Render clips with speech and actions and encode them once."""
    with _prepared(config, threads) as recipe:
        from avatar_nodes.training.encoded import write_encoded

        for split, count in (("train", recipe.clips.train), ("val", recipe.clips.val)):
            _in_parallel(
                write_encoded, threads, folder=run / "clips", vae_folder=run / "vae" / "vae",
                count=count, blocks=recipe.clips.blocks, split=split, seed=recipe.clips.seed,
            )  # fmt: skip


@command.command()
@_resumable
def causal(run: Path, config: Path | None, threads: int, resume: bool) -> None:
    """Train the causal few-step model (flow matching with block-wise noise)."""
    with _prepared(config, threads) as recipe:
        from avatar_nodes.model.dit_config import DiTConfig
        from avatar_nodes.training.causal import train_causal

        train_causal(
            recipe.causal, config=DiTConfig.tiny(), clips=run / "clips", folder=run / "causal",
            sigmas=recipe.sigmas, vae=run / "vae" / "vae", resume=resume,
        )  # fmt: skip


@command.command()
@_resumable
def sharpen(run: Path, config: Path | None, threads: int, resume: bool) -> None:
    """Train the decoder on, the encoder kept, so that encoded clips stay valid."""
    with _prepared(config, threads) as recipe:
        from avatar_nodes.training.vae import train_vae

        train_vae(
            recipe.sharpen, snippets=run / "snippets", folder=run / "sharpen", resume=resume,
            start=run / "vae" / "state.pt", statistics=run / "vae" / "vae",
        )  # fmt: skip


@command.command()
@_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Checkpoint folder.")
def assemble(run: Path, config: Path | None, threads: int, out: Path) -> None:
    """Gather the trained parts into one checkpoint folder, with a reference picture."""
    with _prepared(config, threads):
        from avatar_nodes.training.assemble import assemble_checkpoint

        for line in assemble_checkpoint(run, out):
            click.echo(line)
