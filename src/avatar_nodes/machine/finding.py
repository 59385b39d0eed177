"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """State of one thing that was checked, and the remedy where it is missing.

    `required`: the avatar does not run without it. `remedy` is empty when all is well.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""
    required: bool = True
