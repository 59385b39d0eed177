"""Words in braces in a persona's replies: `{time}`, `{name}`, ... are filled in when it is said."""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import datetime

FIELDS = ("name", "time", "date", "weekday", "part_of_day", "last_reply", "utterance")
PARTS_OF_DAY = ("morning", "afternoon", "evening")
_NOON, _EVENING = 12, 18


def check_template(template: str) -> None:
    """Raises ValueError: a brace without its mate, or a word in braces that is none of FIELDS."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"expected braces in pairs, got {template!r} ({error})") from None
    for _, field, form, conversion in parts:
        if field is None:
            continue
        if field not in FIELDS or form or conversion:
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise ValueError(f"expected {known} in braces, got {template!r}")


def fill_template(template: str, values: Mapping[str, str]) -> str | None:
    """The reply in words; None when it needs a value that is empty or missing."""
    needed = {field for _, field, _, _ in string.Formatter().parse(template) if field}
    if not all(values.get(field) for field in needed):
        return None
    return template.format_map(values)


def clock_values(now: datetime, *, time_format: str, date_format: str) -> dict[str, str]:
    """What the clock gives: `time`, `date`, `weekday` and `part_of_day`."""
    return {
        "time": now.strftime(time_format),
        "date": now.strftime(date_format),
        "weekday": now.strftime("%A"),
        "part_of_day": PARTS_OF_DAY[(now.hour >= _NOON) + (now.hour >= _EVENING)],
    }
