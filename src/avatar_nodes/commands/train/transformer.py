"""`avatar train text`, `teacher`, `causal` and `distill`: the transformer and its text encoder."""

from __future__ import annotations

from pathlib import Path

import click

from avatar_nodes.commands.train.options import (
    encoded_clips,
    recipe_of,
    resumable,
    start_option,
)


@click.command("text")
@resumable
def text(run: Path, config: Path | None, threads: int, resume: bool) -> None:
    """Pre-train the text encoder on how actions are asked for; frozen afterwards."""
    with recipe_of(config, threads) as recipe:
        from avatar_nodes.training.stages.text import train_text

        sizes = recipe.architecture
        right = train_text(
            recipe.text, folder=run / "text", text_dim=sizes.text_dim, text_len=sizes.text_len,
            resume=resume,
        )  # fmt: skip
        figures = ", ".join(f"{name} {share:.3f}" for name, share in right.items())
        click.echo(f"held-out wordings read right: {figures}")


@click.command("teacher")
@resumable
@start_option
def teacher(run: Path, config: Path | None, threads: int, resume: bool, start: Path | None) -> None:
    """Train the bidirectional teacher (flow matching with guidance dropout)."""
    with recipe_of(config, threads) as recipe:
        from avatar_nodes.training.stages.teacher import train_teacher

        train_teacher(
            recipe.teacher, config=recipe.architecture, clips=encoded_clips(run),
            folder=run / "teacher",
            vae=run / "vae" / "vae", resume=resume, text=run / "text" / "export", start=start,
            published=recipe.published,
        )  # fmt: skip


@click.command("causal")
@resumable
@start_option
def causal(run: Path, config: Path | None, threads: int, resume: bool, start: Path | None) -> None:
    """Train the causal model (flow matching with block-wise noise).

    It begins from the teacher's export if that is there, else from the recipe's published weights.
    """
    with recipe_of(config, threads) as recipe:
        from avatar_nodes.training.stages.causal import train_causal

        taught = run / "teacher" / "export"
        train_causal(
            recipe.causal, config=recipe.architecture, clips=encoded_clips(run),
            folder=run / "causal",
            sigmas=recipe.sigmas, vae=run / "vae" / "vae", resume=resume,
            text=run / "text" / "export",
            start=start or (taught if (taught / "config.json").exists() else None),
            published=recipe.published,
        )  # fmt: skip


@click.command("distill")
@resumable
@start_option
def distill(run: Path, config: Path | None, threads: int, resume: bool, start: Path | None) -> None:
    """Distil the teacher into the causal few-step model (Self-Forcing DMD).

    It begins as the compressor's export where there is one, as the causal stage's otherwise, or as
    --start. The teacher is that of the stage teacher; where none was trained, the recipe's
    published weights are.
    """
    with recipe_of(config, threads) as recipe:
        from avatar_nodes.training.stages.assemble import newest_export
        from avatar_nodes.training.stages.distill import train_distill

        begun, taught = start or newest_export(run, before="distill"), run / "teacher" / "export"
        teacher = taught
        if not recipe.distill.matching_weight:  # no teacher is asked
            teacher = begun
        elif recipe.published is not None and not (taught / "config.json").exists():
            teacher = recipe.published.folder
        train_distill(
            recipe.distill, clips=encoded_clips(run), folder=run / "distill",
            teacher=teacher, student=begun,
            sigmas=recipe.sigmas, vae=run / "vae" / "vae", resume=resume,
            published=recipe.published,
        )  # fmt: skip
