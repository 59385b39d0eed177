"""Writes figures of an evaluation as JSON and as Markdown tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Figures = dict[str, Any]
"""Plain values, lists and mappings, as JSON has them."""


def markdown_figures(figures: Mapping[str, Any]) -> str:
    """A table of two columns of the plain values among `figures`; nested ones are left out."""
    plain = {k: v for k, v in figures.items() if not isinstance(v, (dict, list, tuple))}
    lines = [f"| {name} | {shown(value)} |" for name, value in plain.items()]
    return "\n".join(["| figure | value |", "|---|---|", *lines])


def markdown_rows(title: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """A table with a row for each mapping; its columns are their plain keys, in order."""
    columns: dict[str, None] = {}
    for row in rows.values():
        columns.update({k: None for k, v in row.items() if not isinstance(v, (dict, list, tuple))})
    head = [f"| {' | '.join([title, *columns])} |", f"|{'---|' * (len(columns) + 1)}"]
    body = [
        f"| {' | '.join([name, *(shown(row.get(column)) for column in columns)])} |"
        for name, row in rows.items()
    ]
    return "\n".join(head + body)


def shown(value: Any) -> str:
    """A value as a table has it: three digits after the point; nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"
    return str(value).replace("|", "/")


def not_measured(figures: Mapping[str, Any]) -> str:
    """A line for each figure that could not be had, and why."""
    missing = figures.get("not_measured") or {}
    return "\n".join(f"Not measured: {name}: {reason}" for name, reason in missing.items())


def write_json(path: Path, figures: Mapping[str, Any]) -> None:
    """Write figures; NaN, which is no JSON, is refused with ValueError."""
    text = json.dumps(figures, indent=1, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
