"""`avatar eval`: one sub-command for each measurement of quality."""

from __future__ import annotations

import json
from pathlib import Path

import click

from avatar_nodes.commands.graph_options import plain_errors


@click.group("eval")
def command() -> None:
    """Measure the quality of a model, on people and sentences that training never saw."""


@command.command()
@click.option("--profile", "profile_name", default="tiny", show_default=True, help="Profile.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Checkpoint folder, instead of the profile's.",
)
@click.option("--clips", type=click.IntRange(1), default=8, show_default=True, help="Clips.")
@click.option(
    "--blocks",
    type=click.IntRange(4),
    default=16,
    show_default=True,
    help="Length of a clip in blocks of 0.48 s.",
)
@click.option(
    "--split",
    type=click.Choice(["val", "test"]),
    default="test",
    show_default=True,
    help="`test` also holds back the wording of the prompts.",
)
@click.option(
    "--threads", type=click.IntRange(1), default=2, show_default=True, help="CPU threads."
)
@click.option("--strips", type=click.Path(path_type=Path), help="Folder for picture strips.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write figures here.")
def sync(
    profile_name: str, checkpoint: Path | None, clips: int, blocks: int, split: str, threads: int,
    strips: Path | None, json_file: Path | None,
) -> None:  # fmt: skip
    """Does the mouth follow the speech: aperture measured from pixels against the true one."""
    import torch

    from avatar_nodes.evaluation.sync import evaluate_sync
    from avatar_nodes.profile import load_profile
    from avatar_nodes.streaming.assembly import PromptEncoder, build_pipeline

    torch.set_num_threads(threads)
    with plain_errors():
        profile = load_profile(profile_name)
        folder = checkpoint or Path(profile.model.checkpoint)
        pipeline = build_pipeline(
            folder, sigmas=profile.model.sigmas, past_blocks=profile.model.past_blocks,
            dtype=profile.model.dtype, width=profile.video.width, height=profile.video.height,
        )  # fmt: skip
        report = evaluate_sync(
            pipeline, PromptEncoder(folder), clips=clips, blocks=blocks, split=split,
            strips=strips, progress=lambda line: click.echo(line, err=True),
        )  # fmt: skip
    figures = report.summary()
    click.echo("| figure | value |\n|---|---|")
    for name, value in figures.items():
        shown = f"{value:.3f}" if isinstance(value, float) else str(value)
        click.echo(f"| {name} | {shown} |")
    if json_file is not None:
        json_file.write_text(json.dumps({**figures, "per_clip": report.rows()}, indent=1) + "\n")
