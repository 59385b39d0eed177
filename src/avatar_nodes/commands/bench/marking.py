"""`avatar bench marking`: cost, visibility and robustness of the watermark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from avatar_nodes.commands.graph_options import plain_errors

if TYPE_CHECKING:
    from avatar_nodes.bench.marking import Frames


@click.command("marking")
@click.option(
    "--clips",
    type=click.IntRange(1, 1000),
    default=12,
    show_default=True,
    help="Rendered people whom no model has seen.",
)
@click.option(
    "--frames",
    type=click.IntRange(1, 500),
    default=50,
    show_default=True,
    help="Frames of each that are marked, coded and read.",
)
@click.option(
    "--unmarked",
    type=click.IntRange(0, 100_000),
    default=200,
    show_default=True,
    help="Unmarked pictures, each of another person, for false alarms.",
)
@click.option(
    "--photo",
    "photos",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Measure on a slow zoom into this picture instead of on clips. May be repeated.",
)
def command(clips: int, frames: int, unmarked: int, photos: tuple[Path, ...]) -> None:
    """Measure marking and reading on pictures of 256x256; needs `make setup-test`."""
    try:
        from avatar_nodes.bench import marking as bench
    except ImportError as error:
        raise click.ClickException(f"{error}: run `make setup-test`") from None
    from avatar_nodes.marking.file_pictures import PictureFileError
    from avatar_nodes.marking.marker import MarkingChoice

    with plain_errors(PictureFileError):
        if photos:
            sequences = [bench.zoomed(photo, frames) for photo in photos]
        else:
            sequences = [bench.clip_frames(seed, frames) for seed in range(clips)]
    for name, choice in (
        ("watermark", MarkingChoice(label=False)),
        ("label and watermark", MarkingChoice()),
    ):
        took = [bench.measure_cost(sequence, choice) for sequence in sequences]
        click.echo(
            f"{name}: {max(ms for ms, _ in took):.3f} ms a frame (the slowest clip's median)"
        )
        if not choice.label:
            click.echo(f"{name}: PSNR {min(psnr for _, psnr in took):.1f} dB (the worst clip's)")
    _survival(sequences)
    if unmarked:
        _false_alarms(unmarked)


def _survival(sequences: list[Frames]) -> None:
    from avatar_nodes.bench import marking as bench

    click.echo(f"{'':40} marked  number  1 picture  lowest score")
    for name, treat in bench.treatments().items():
        row = bench.measure_survival(name, treat, sequences)
        click.echo(
            f"{name:40} {row.marked:3}/{row.sequences:<3} {row.numbers:3}/{row.sequences:<3}"
            f" {row.first_picture:6}/{row.sequences:<3} {row.lowest_score:10.1f}"
        )


def _false_alarms(count: int) -> None:
    from avatar_nodes.bench import marking as bench

    readings = list(bench.unmarked_readings(count))
    verdicts = {v: sum(r.verdict == v for r in readings) for v in ("marked", "cannot tell")}
    highest = max(reading.score for reading in readings)
    click.echo(
        f"unmarked: {verdicts['marked']} of {count} called marked,"
        f" {verdicts['cannot tell']} undecided; highest score {highest:.1f}"
    )
