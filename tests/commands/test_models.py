"""`avatar models` lists, fetches and verifies; what it cannot have, it says in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from avatar_nodes.cli import main


@pytest.fixture(autouse=True)
def _nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("AVATAR_CACHE", str(tmp_path))
    monkeypatch.delenv("AVATAR_MODELS", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


def avatar_models(*words: str) -> Result:
    return CliRunner().invoke(main, ["models", *words])


@pytest.mark.parametrize("words", [(), ("list",)])
def test_the_list_says_what_is_absent(words: tuple[str, ...]) -> None:
    said = avatar_models(*words)
    assert said.exit_code == 0
    assert "absent whisper-base" in said.output
    assert "MIT, default" in said.output


def test_what_cannot_be_had_is_one_line() -> None:
    said = avatar_models("fetch")
    assert said.exit_code == 1
    lines = [line for line in said.stderr.splitlines() if not line.endswith(" ...")]
    assert [line.partition(": the hub is switched off")[0] for line in lines] == [
        "whisper-base",
        "smart-turn",
    ]
    assert avatar_models("fetch", "--if-possible").exit_code == 0


def test_an_unknown_name_is_an_error() -> None:
    said = avatar_models("fetch", "nobody")
    assert said.exit_code == 1
    assert "no model 'nobody'" in said.output


def test_verify_passes_over_what_is_absent_unless_it_is_named() -> None:
    assert avatar_models("verify").exit_code == 0
    said = avatar_models("verify", "whisper-base")
    assert said.exit_code == 1
    assert "avatar models fetch whisper-base" in said.output
