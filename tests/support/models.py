"""Real model files, for tests that are skipped where this machine lacks them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from avatar_nodes.store.store import ModelStore


def real_model(name: str) -> Path:
    """The folder of a model in the user's own cache; the test is skipped where it is not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "avatar_nodes"
    store = ModelStore(cache=cache / "models")
    found = store.find(name)
    if found is None:
        pytest.skip(store.lack(name))
    return found
