"""`avatar eval ablation`: the papers' rows, each with one part of the method left out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from avatar_nodes.commands.eval.model_options import (
    EvalOptions,
    ModelUnderTest,
    eval_options,
    evaluation_errors,
    tell,
)

if TYPE_CHECKING:
    from avatar_nodes.decoding.decoder import StreamingDecoder
    from avatar_nodes.evaluation.ablation import Row
    from avatar_nodes.evaluation.performers import StreamPerformer


_COLUMNS = ("corr_last", "sync_c_last", "sync_d_last", "identity_last", "identity_drift",
            "colour_last", "sharpness_last", "evaluations", "block_ms", "metric",
            "worse")  # fmt: skip
"""Columns of the printed table; the JSON file has the start of the stream as well."""


@click.command("ablation")
@eval_options
@click.option(
    "--seconds",
    type=click.FloatRange(20.16),
    default=120.0,
    show_default=True,
    help="Length of each row's stream; ten seconds are measured at its start and at its end.",
)
@click.option("--persons", type=click.IntRange(1, 20), default=5, show_default=True,
              help="Persons each row is measured on.")  # fmt: skip
@click.option("--row", "wanted", multiple=True, help="Only this row, beside `full`. Repeatable.")
@click.option(
    "--checkpoint-of",
    "folders",
    multiple=True,
    metavar="ROW=FOLDER",
    help="Checkpoint for a row whose part works in training. Repeatable.",
)
def command(
    shared: EvalOptions, seconds: float, persons: int, wanted: tuple[str, ...],
    folders: tuple[str, ...],
) -> None:  # fmt: skip
    """What is each part of the method worth: one row for each part left out.

    Parts of the inference are switched off in the profile. `worse` says whether the row's own
    metric is worse than with all parts, as in the papers; it is empty where the persons do not
    agree on it, and for one person alone.
    """
    with evaluation_errors():
        from avatar_nodes.evaluation.ablation import (
            ablation_rows,
            evaluate_ablation,
            select_rows,
        )
        from avatar_nodes.evaluation.report import markdown_rows
        from avatar_nodes.judging.footage import JudgeError

        under_test = ModelUnderTest(shared)
        try:
            rows = select_rows(ablation_rows(under_test.profile.model.sigmas), wanted)
        except ValueError as error:
            raise click.ClickException(str(error)) from error
        identity, sync, missing = None, None, {}
        try:
            identity, sync = under_test.judges.identity(), under_test.judges.sync()
        except JudgeError as error:
            missing["identity, sync_c, sync_d"] = str(error)

        def build(row: Row, folder: Path | None) -> tuple[StreamPerformer, StreamingDecoder]:
            model = under_test.stream(row.values, folder, name=row.name)
            return model, under_test.decoder(folder)

        figures = evaluate_ablation(
            rows, build, seconds=seconds, seeds=persons, identity=identity,
            sync=sync, checkpoints=_folders(folders, [row.name for row in rows]),
            timing=under_test.timing, tell=tell,
        )  # fmt: skip
    figures["not_measured"] = {**missing, **figures["not_measured"]}
    rows_shown = {row["title"]: {name: row.get(name) for name in _COLUMNS} for row in
                  figures["rows"].values()}  # fmt: skip
    under_test.print(figures, markdown_rows("row", rows_shown))


def _folders(values: tuple[str, ...], rows: list[str]) -> dict[str, Path]:
    folders = {}
    for value in values:
        name, mark, folder = value.partition("=")
        if not mark or name not in rows or not Path(folder).is_dir():
            raise click.ClickException(
                f"--checkpoint-of {value}: expected ROW=FOLDER, a row of {', '.join(rows)} and a"
                " checkpoint folder"
            )
        folders[name] = Path(folder)
    return folders
