"""Options and preparations that the sub-commands of `avatar train` share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from avatar_nodes.training.recipe import Recipe


def run_options(function: Callable[..., None]) -> Callable[..., None]:
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
            help="Recipe (YAML).  [default: config/training/tiny.yaml, the shipped one]",
        ),
        click.option(
            "--threads", type=click.IntRange(1), default=2, show_default=True, help="CPU threads."
        ),
    ):
        function = option(function)
    return function


def resumable(function: Callable[..., None]) -> Callable[..., None]:
    return click.option("--resume", is_flag=True, help="Go on from the last saved state.")(
        run_options(function)
    )


start_option = click.option(
    "--start",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Export folder whose weights training begins from.",
)


def encoded_clips(run: Path) -> Path:
    """The run's encoded clips."""
    return run / ("encoded" if (run / "encoded").exists() else "clips")


@contextmanager
def recipe_of(config: Path | None, threads: int) -> Iterator[Recipe]:
    import torch

    from avatar_nodes.judging.footage import JudgeError
    from avatar_nodes.model.checkpoint import CheckpointError
    from avatar_nodes.model.device import AssemblyError
    from avatar_nodes.profile.resources import share_path
    from avatar_nodes.training.data.encoded import WindowError
    from avatar_nodes.training.data.shards.clips import ShardError
    from avatar_nodes.training.loop.distributed import DistributedError
    from avatar_nodes.training.loop.run import TrainingDivergedError
    from avatar_nodes.training.recipe import RecipeError, read_recipe

    torch.set_num_threads(threads)
    try:
        yield read_recipe(config or share_path("config", "training", "tiny.yaml"))
    except (
        RecipeError, AssemblyError, CheckpointError, DistributedError, JudgeError, ShardError,
        TrainingDivergedError, WindowError, FileNotFoundError,
    ) as error:  # fmt: skip
        raise click.ClickException(str(error)) from error


def tiny_only(recipe: Recipe, stage: str) -> None:
    from avatar_nodes.training.recipe import RecipeError

    if recipe.weights is not None:
        raise RecipeError(f"{stage} is a stage of the tiny model: not for published weights")


def in_parallel(work: Callable[..., None], parts: int, **arguments: Any) -> None:
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
