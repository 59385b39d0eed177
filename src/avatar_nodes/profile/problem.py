"""One thing wrong with a profile, and the error that carries all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatar_nodes.errors.configuration_error import ConfigurationError

KeyPath = tuple[str | int, ...]

_LONGEST_GOT = 80


class Said(str):
    """What was found, in words: printed without quotes."""

    __slots__ = ()


@dataclass(frozen=True)
class Problem:
    """A key, what was expected there and what was found; the loader adds file and line."""

    path: KeyPath
    expected: str
    got: Any
    file: Path | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line or 1}: " if self.file else ""
        got = str(self.got) if isinstance(self.got, Said) else repr(self.got)
        if len(got) > _LONGEST_GOT:
            got = got[: _LONGEST_GOT - 3] + "..."
        return f"{place}{format_path(self.path)}: expected {self.expected}, got {got}"


class ProfileError(ConfigurationError):
    """A profile that cannot be used; one line for each problem, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


def format_path(path: KeyPath) -> str:
    """`("placement", "denoisers", 0, "steps")` -> `placement.denoisers[0].steps`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text or "profile"
