"""NOTICE names what is loaded beside this work: each requirement, each model that is fetched."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent


def _named() -> set[str]:
    """The first column of NOTICE's tables; a line may begin with several names."""
    lines = re.findall(r"^  (\S.*?)(?:  |$)", (ROOT / "NOTICE").read_text(), re.MULTILINE)
    return {name.lower() for line in lines for name in re.split(r"[,\s]+", line)}


def _requirements() -> list[str]:
    text = (ROOT / "setup.py").read_text()
    return re.findall(r'"([A-Za-z0-9_.-]+)[<>=]=?\d[^"]*"', text.partition("install_requires")[2])


@pytest.mark.parametrize("name", _requirements())
def test_a_requirement_is_named(name: str) -> None:
    assert name.lower() in _named()


def test_requirements_are_found() -> None:
    assert {"aiortc", "websockets", "llguidance", "pedalboard"} <= set(_requirements())


def test_each_model_is_named() -> None:
    models = yaml.safe_load((ROOT / "config" / "models.yaml").read_text())
    assert set(models) <= _named()
