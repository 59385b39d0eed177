"""What tests of lifelike people need: geometry, and OpenGL without a screen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("scipy", reason="people are built with scipy, of requirements/training.txt")

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.world.people.assets import FILE_NAME, FILE_VARIABLE, Assets, default_path
from avatar_nodes.world.people.studio import studio

# The tests' own cache is empty; the geometry, if it was extracted, lies in the user's.
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "avatar_nodes"
os.environ.setdefault(FILE_VARIABLE, str(_CACHE / FILE_NAME))


def people_assets() -> Assets:
    """The geometry, or skips the test."""
    if not default_path().is_file():
        pytest.skip(f"no {default_path()}: `avatar train people` writes it")
    return Assets.load()


def people_studio() -> None:
    """Skips the test where nothing can be drawn."""
    people_assets()
    try:
        studio()
    except ConfigurationError as error:
        pytest.skip(str(error))
