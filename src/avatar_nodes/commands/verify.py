"""`avatar verify`: tells if a file is marked as made by a machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from avatar_nodes.commands.graph_options import plain_errors

if TYPE_CHECKING:
    from avatar_nodes.marking.file_check import FileMarks

_EXIT_CODES = {"marked": 0, "not marked": 3, "cannot tell": 4}


@click.command("verify")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(file: Path, as_json: bool) -> None:
    """Say whether FILE, a video or an image, is marked as made by an avatar.

    Looks at its metadata and for the watermark in its pictures. Exit code: 0 marked, 3 not marked,
    4 cannot tell, 1 the file cannot be read.
    """
    from avatar_nodes.marking.file_check import check_file
    from avatar_nodes.marking.file_pictures import PictureFileError

    with plain_errors(PictureFileError):
        marks = check_file(file)
    click.echo(json.dumps(marks.as_dict(), indent=2) if as_json else _text(marks))
    raise SystemExit(_EXIT_CODES[marks.verdict])


def _text(marks: FileMarks) -> str:
    reading = marks.watermark
    details = f"{reading.reason} (score {reading.score:.1f}, {reading.pictures} pictures)"
    if reading.verdict == "marked":
        number = "unreadable" if reading.number is None else str(reading.number)
        details += f", number {number}, scale {reading.scale:.2f}"
    sure = (
        "" if reading.verdict == "cannot tell" else f", confidence {_percent(reading.confidence)}"
    )
    return "\n".join(
        [
            f"{marks.file}: {marks.verdict}",
            f"  watermark  {reading.verdict}{sure}: {details}",
            f"  metadata   {marks.source_type or 'no digital source type of generated media'}",
            *_credentials(marks),
        ]
    )


def _credentials(marks: FileMarks) -> list[str]:
    found = marks.credentials
    if found is None:
        return []
    state = "unchanged since" if found.unchanged else f"CHANGED or damaged ({found.problems[0]}),"
    signer = f"signed by {found.signer or 'nobody known'}"
    return [f"  C2PA       {state} {signer}{'' if found.trusted else ', who is not trusted here'}"]


def _percent(confidence: float) -> str:
    return "above 99.99 %" if confidence > 0.9999 else f"{confidence * 100:.2f} %"
