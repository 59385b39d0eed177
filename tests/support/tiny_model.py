"""A tiny model with random weights and the profile that serves it, for tests of whole commands."""

from __future__ import annotations

from pathlib import Path

from support.tiny_checkpoint import build_tiny_checkpoint, write_tiny_profile


def write_tiny_model(folder: Path) -> Path:
    """Write checkpoint and profile into `folder`; returns the profile's file."""
    profile = write_tiny_profile(folder, build_tiny_checkpoint(folder / "checkpoint"))
    with profile.open("a", encoding="utf-8") as file:
        file.write("restart: {start_timeout_s: 600.0}\n")  # a machine may be busy
    return profile
