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

    The order is data, text, vae, encode, teacher, causal, compressor, distill, recall, sharpen,
    judges, assemble; compressor and recall, which add visual memory, may be left out, and so may
    sharpen, which teaches the decoder what it will be given.
    Every stage reads what the stages before left in the run folder; training can be stopped with
    Ctrl-C and goes on with --resume.
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
            help="Recipe (YAML).  [default: config/training/tiny.yaml, the shipped one]",
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


_START = click.option(
    "--start",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Export folder whose weights training begins from.",
)


def _encoded(run: Path) -> Path:
    """The run's encoded clips."""
    return run / ("encoded" if (run / "encoded").exists() else "clips")


@contextmanager
def _prepared(config: Path | None, threads: int) -> Iterator[Recipe]:
    import torch

    from avatar_nodes.judging.judge_folder import JudgeError
    from avatar_nodes.model.checkpoint import CheckpointError
    from avatar_nodes.pipeline.assembly import AssemblyError
    from avatar_nodes.profile.resources import share_path
    from avatar_nodes.training.distributed import DistributedError
    from avatar_nodes.training.encoded import WindowError
    from avatar_nodes.training.recipe import RecipeError, read_recipe
    from avatar_nodes.training.run import TrainingDivergedError
    from avatar_nodes.training.shards import ShardError

    torch.set_num_threads(threads)
    try:
        yield read_recipe(config or share_path("config", "training", "tiny.yaml"))
    except (
        RecipeError, AssemblyError, CheckpointError, DistributedError, JudgeError, ShardError,
        TrainingDivergedError, WindowError, FileNotFoundError,
    ) as error:  # fmt: skip
        raise click.ClickException(str(error)) from error


def _tiny_only(recipe: Recipe, stage: str) -> None:
    from avatar_nodes.training.recipe import RecipeError

    if recipe.weights is not None:
        raise RecipeError(f"{stage} is a stage of the tiny model: not for published weights")


def _report_quality(vae: Path, shards: Path) -> None:
    """Say how well an autoencoder shows the test split, and keep it beside the weights."""
    from avatar_nodes.evaluation.report import write_json
    from avatar_nodes.training.vae_report import reconstruction_quality

    if not any(shards.glob("test-*.tar")):
        click.echo("no clips of the test split to measure the autoencoder on")
        return
    figures = reconstruction_quality(vae, shards)
    write_json(vae.parent / "quality.json", figures)
    click.echo("test split: PSNR {vae_psnr:.2f} dB, SSIM {vae_ssim:.3f}".format(**figures))


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
    with _prepared(config, threads) as recipe:
        from avatar_nodes.training.shards_build import build_shards

        shards = run / "shards"
        if videos is None:
            reports = build_shards(shards, recipe.data.jobs(), processes=threads, say=click.echo)
            click.echo(f"{sum(report['clips'] for report in reports)} clips in {shards}")
            return
        from avatar_nodes.training.videos import write_videos

        for line in write_videos(
            recipe.videos, videos, shards, syncnet=syncnet, processes=threads, say=click.echo
        ):
            click.echo(line)


@command.command()
@_resumable
def text(run: Path, config: Path | None, threads: int, resume: bool) -> None:
    """Pre-train the text encoder on how actions are asked for; frozen afterwards."""
    with _prepared(config, threads) as recipe:
        from avatar_nodes.training.text import train_text

        sizes = recipe.architecture
        right = train_text(
            recipe.text, folder=run / "text", text_dim=sizes.text_dim, text_len=sizes.text_len,
            resume=resume,
        )  # fmt: skip
        figures = ", ".join(f"{name} {share:.3f}" for name, share in right.items())
        click.echo(f"held-out wordings read right: {figures}")


@command.command()
@_resumable
@_START
def vae(run: Path, config: Path | None, threads: int, resume: bool, start: Path | None) -> None:
    """Train the video autoencoder."""
    with _prepared(config, threads) as recipe:
        from avatar_nodes.training.vae import train_vae

        folder, shards = run / "vae", run / "shards"
        if train_vae(recipe.vae, shards=shards, folder=folder, resume=resume, start=start):
            _report_quality(folder / "vae", shards)


@command.command()
@_options
def encode(run: Path, config: Path | None, threads: int) -> None:
    """Encode the clips of the shards once, for all stages of the transformer.

    With the recipe's published weights, if it has any, else with the autoencoder of the stage vae.
    """
    with _prepared(config, threads) as recipe:
        from avatar_nodes.training.encoded import write_encoded
        from avatar_nodes.training.shards import ShardClips

        if recipe.published is not None:  # complains here rather than in every process
            recipe.published.check_encoders()
        for split in ("train", "val"):
            if split == "val" and not any((run / "shards").glob("val-*.tar")):
                continue
            ShardClips(run / "shards", split)  # complains here rather than in every process
            _in_parallel(
                write_encoded, threads, folder=run / "encoded", shards=run / "shards",
                vae_folder=run / "vae" / "vae", split=split,
                weights=None if recipe.published is None else recipe.published.folder,
            )  # fmt: skip


@command.command()
@_resumable
@_START
def teacher(run: Path, config: Path | None, threads: int, resume: bool, start: Path | None) -> None:
    """Train the bidirectional teacher (flow matching with guidance dropout)."""
    with _prepared(config, threads) as recipe:
        from avatar_nodes.training.teacher import train_teacher

        train_teacher(
            recipe.teacher, config=recipe.architecture, clips=_encoded(run), folder=run / "teacher",
            vae=run / "vae" / "vae", resume=resume, text=run / "text" / "export", start=start,
            published=recipe.published,
        )  # fmt: skip


@command.command()
@_resumable
@_START
def causal(run: Path, config: Path | None, threads: int, resume: bool, start: Path | None) -> None:
    """Train the causal model (flow matching with block-wise noise).

    It begins from the teacher's export if that is there, else from the recipe's published weights.
    """
    with _prepared(config, threads) as recipe:
        from avatar_nodes.training.causal import train_causal

        taught = run / "teacher" / "export"
        train_causal(
            recipe.causal, config=recipe.architecture, clips=_encoded(run), folder=run / "causal",
            sigmas=recipe.sigmas, vae=run / "vae" / "vae", resume=resume,
            text=run / "text" / "export",
            start=start or (taught if (taught / "config.json").exists() else None),
            published=recipe.published,
        )  # fmt: skip


@command.command()
@_resumable
@_START
def compressor(
    run: Path, config: Path | None, threads: int, resume: bool, start: Path | None
) -> None:
    """Train visual memory: its compressor, and the transformer with it where the recipe says so.

    It begins as the causal stage's export, or --start.
    """
    with _prepared(config, threads) as recipe:
        _tiny_only(recipe, "compressor")
        from avatar_nodes.training.compressor_stage import train_compressor

        train_compressor(
            recipe.compressor, start=start or run / "causal" / "export", clips=_encoded(run),
            folder=run / "compressor", sigmas=recipe.sigmas, vae=run / "vae" / "vae", resume=resume,
        )  # fmt: skip


@command.command()
@_resumable
@_START
def distill(run: Path, config: Path | None, threads: int, resume: bool, start: Path | None) -> None:
    """Distil the teacher into the causal few-step model (Self-Forcing DMD).

    It begins as the compressor's export where there is one, as the causal stage's otherwise, or as
    --start. The teacher is that of the stage teacher; where none was trained, the recipe's
    published weights are.
    """
    with _prepared(config, threads) as recipe:
        from avatar_nodes.training.assemble import newest_export
        from avatar_nodes.training.distill import train_distill

        begun, taught = start or newest_export(run, before="distill"), run / "teacher" / "export"
        teacher = taught
        if not recipe.distill.matching_weight:  # nobody is asked
            teacher = begun
        elif recipe.published is not None and not (taught / "config.json").exists():
            teacher = recipe.published.folder
        train_distill(
            recipe.distill, clips=_encoded(run), folder=run / "distill",
            teacher=teacher, student=begun,
            sigmas=recipe.sigmas, vae=run / "vae" / "vae", resume=resume,
            published=recipe.published,
        )  # fmt: skip


@command.command()
@_resumable
@_START
def recall(run: Path, config: Path | None, threads: int, resume: bool, start: Path | None) -> None:
    """Train visual memory for the distilled model, which knows none: by default its compressor
    alone, the transformer stays as it is.

    It begins as the last transformer trained, of distill, compressor or causal, or as --start. A
    memory of another kind than the recipe's makes way for a new one.
    """
    with _prepared(config, threads) as recipe:
        _tiny_only(recipe, "recall")
        from avatar_nodes.training.assemble import newest_export
        from avatar_nodes.training.compressor_stage import train_compressor

        train_compressor(
            recipe.recall, start=start or newest_export(run, before="recall"), clips=_encoded(run),
            folder=run / "recall", sigmas=recipe.sigmas, vae=run / "vae" / "vae", resume=resume,
            renew=True,
        )  # fmt: skip


@command.command()
@_resumable
@click.option(
    "--start",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Begin from the decoder of this autoencoder; its encoder must be that of the stage vae.",
)
def sharpen(run: Path, config: Path | None, threads: int, resume: bool, start: Path | None) -> None:
    """Train the decoder on, the encoder kept, so that encoded clips stay valid.

    It begins as the export of the stage vae, or as --start, and decodes also what the transformer
    makes of blocks: the last one trained, of distill, compressor or causal.
    """
    with _prepared(config, threads) as recipe:
        _tiny_only(recipe, "sharpen")
        from avatar_nodes.training.assemble import newest_export
        from avatar_nodes.training.sharpen import train_sharpen

        if train_sharpen(
            recipe.sharpen, shards=run / "shards", clips=_encoded(run), folder=run / "sharpen",
            vae=run / "vae" / "vae", start=start, denoiser=newest_export(run), sigmas=recipe.sigmas,
            resume=resume,
        ):  # fmt: skip
            _report_quality(run / "sharpen" / "vae", run / "shards")


@command.command()
@_resumable
def judges(run: Path, config: Path | None, threads: int, resume: bool) -> None:
    """Train what `avatar eval` measures with: judges of sync, identity and actions.

    They learn from truth of the training split that they render themselves.
    """
    with _prepared(config, threads) as recipe:
        from avatar_nodes.training.judge_data import write_judge_clips, write_portraits
        from avatar_nodes.training.judges import train_judges

        options, data = recipe.judges, run / "judges" / "data"
        for split, clips, people in (
            ("train", options.clips, options.people),
            ("val", options.val_clips, options.val_people),
        ):
            common = {"folder": data, "split": split, "seed": options.seed}
            _in_parallel(write_judge_clips, threads, count=clips, blocks=options.blocks, **common)
            _in_parallel(write_portraits, threads, count=people, **common)
        train_judges(options, data=data, folder=run / "judges", resume=resume)


@command.command()
@_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Checkpoint folder.")
def assemble(run: Path, config: Path | None, threads: int, out: Path) -> None:
    """Gather the trained parts into one checkpoint folder, with a reference picture.

    Of a run on published weights: a folder with what was trained, and the profile that serves it.
    """
    with _prepared(config, threads) as recipe:
        from avatar_nodes.training.assemble import assemble_checkpoint
        from avatar_nodes.training.assemble_published import assemble_published

        lines = assemble_checkpoint(run, out)
        if recipe.published is not None:
            sink_from = 1 if recipe.distill.adaptive_sink else None
            lines = assemble_published(
                run, out, recipe.published, sigmas=recipe.sigmas, aas_from_block=sink_from
            )
        for line in lines:
            click.echo(line)
