"""`avatar service`: the unit that it writes, and what it asks systemd for."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from avatar_nodes.cli import main
from avatar_nodes.commands.service import unit_text

UNIT = "systemd/user/avatar.service"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `systemctl` that writes down what it is asked, one line each; the file."""
    written = tmp_path / "asked"
    written.touch()
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >> {written}\nexit ${{FAIL:-0}}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return written


def service(*words: str) -> Result:
    return CliRunner().invoke(main, ["service", *words])


def test_installed_looked_at_and_removed(asked: Path, tmp_path: Path) -> None:
    done = service("install", "--", "--mode", "converse", "--kiosk", "--profile", "my booth.yaml")
    assert done.exit_code == 0, done.output
    assert "enable-linger" in done.output
    lines = (tmp_path / "config" / UNIT).read_text().splitlines()
    program = Path(sys.executable).with_name("avatar")
    command = f'{program} up --mode converse --kiosk --profile "my booth.yaml"'
    assert f"ExecStart={command}" in lines
    assert f"WorkingDirectory={tmp_path}" in lines
    assert service("status").exit_code == 0
    assert service("remove").exit_code == 0
    assert not (tmp_path / "config" / UNIT).exists()
    assert asked.read_text().splitlines() == [
        "--user daemon-reload", "--user enable avatar.service",
        "--user restart --no-block avatar.service", "--user status --no-pager avatar.service",
        "--user disable --now avatar.service", "--user daemon-reload",
    ]  # fmt: skip


def test_the_unit_alone(asked: Path, tmp_path: Path) -> None:
    assert service("install", "--name", "left", "--no-start").exit_code == 0
    assert (tmp_path / "config/systemd/user/left.service").is_file()
    assert asked.read_text() == ""


def test_what_goes_wrong_is_one_line(asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in (["status"], ["remove"]):
        done = service(*words)
        assert (done.exit_code, done.output.count("\n")) == (1, 1), done.output
    monkeypatch.setenv("FAIL", "1")
    done = service("install")
    assert done.exit_code == 1
    assert "systemctl --user daemon-reload failed" in done.output
    monkeypatch.setenv("PATH", "/nowhere")
    assert "this machine has no systemd" in service("install").output
    assert service("install", "--name", "../a").exit_code == 2
    assert "one line" in service("install", "--no-start", "--", "a\nUser=root").output


def test_words_stay_as_they_are() -> None:
    words = ["/a b/avatar", "100%", "$HOME", 'say "hi"', "c:\\d", "{name}", ""]
    text = unit_text("ExecStart={command}", name="x", words=words, folder=Path("/"))
    assert text == ('ExecStart="/a b/avatar" 100%% "$$HOME" "say \\"hi\\"" "c:\\\\d" "{name}" ""')


def test_systemd_reads_the_unit(asked: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    assert service("install", "--no-start", "--", "--profile", "my booth.yaml").exit_code == 0
    unit = tmp_path / "config" / UNIT
    assert _complaints(unit) == []
    unit.write_text(unit.read_text().replace("WatchdogSec", "WatchdogSex"))
    assert len(_complaints(unit)) == 1


def _complaints(unit: Path) -> list[str]:
    """What systemd finds wrong in a unit."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", "--recursive-errors=no", unit],
        capture_output=True, text=True, check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(unit.parent)},
    )  # fmt: skip
    if "Failed to initialize manager" in done.stderr:
        pytest.skip(done.stderr.strip())
    return [line for line in done.stderr.splitlines() if unit.name in line]
