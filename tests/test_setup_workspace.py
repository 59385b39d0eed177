"""The set-up: what is repeated, what is not, and what a machine that lacks something is told."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module that works in a folder of its own."""
    spec = importlib.util.spec_from_file_location(
        "setup_workspace", ROOT / "scripts/setup_workspace.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "STAMPS", tmp_path / "stamps")
    monkeypatch.setattr(module, "LOG", tmp_path / "setup.log")
    return module


def test_step_is_repeated_only_for_another_state(setup: ModuleType) -> None:
    done: list[str] = []
    for state in ("a", "a", "b", "b", "a"):
        setup.step("x", state, "x", lambda state=state: done.append(state))
    assert done == ["a", "b", "a"]


def test_interrupted_step_is_done_again(setup: ModuleType) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert setup.step("x", "a", "x", lambda: None)
    with pytest.raises(KeyboardInterrupt):
        setup.step("x", "b", "x", interrupted)
    assert setup.step("x", "a", "x", lambda: None)


def test_digest_tells_content_and_name(setup: ModuleType, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("1")
    before = setup.digest([one])
    assert before != setup.digest([two])
    one.write_text("2")
    assert before != setup.digest([one])


def test_failed_command_shows_its_output(
    setup: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(setup.SetupError, match=r"failed \(3\); its whole output: "):
        setup.run(sys.executable, "-c", "print('the reason'); raise SystemExit(3)")
    assert "the reason" in capsys.readouterr().err


def test_ready_machine_passes(setup: ModuleType) -> None:
    setup.check_machine()


@pytest.mark.parametrize(
    ("breakage", "expected"),
    [
        ("compiler", "no C compiler"),
        ("machine", "Linux on x86-64 only, this is linux on aarch64"),
        ("headers", "no Python headers"),
    ],
)
def test_what_is_missing_is_named(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, breakage: str, expected: str
) -> None:
    if breakage == "compiler":
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.delenv("CC", raising=False)
    elif breakage == "machine":
        monkeypatch.setattr(setup.platform, "machine", lambda: "aarch64")
    else:
        monkeypatch.setattr(setup.sysconfig, "get_paths", lambda: {"include": "/nowhere"})
    with pytest.raises(setup.SetupError, match=expected):
        setup.check_machine()


def test_unsupported_python_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.8.18" && exit 0\nexit 1\n')
    old.chmod(0o755)
    command = ["sh", ROOT / "scripts/find_python.sh", old]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "3.11 to 3.13 needed, found: Python 3.8.18" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_colcon_sees_both_packages(tmp_path: Path) -> None:
    colcon = Path(sys.prefix, "bin", "colcon")
    if not colcon.is_file():
        pytest.skip("no colcon in this environment")
    command = [colcon, "--log-base", tmp_path, "list", "--names-only"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["avatar_msgs", "avatar_nodes"]


def test_locked_installs_by_hash_alone(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(setup, "run", lambda *words, **_: commands.append([str(w) for w in words]))
    monkeypatch.setattr(setup, "ROOT", ROOT)
    monkeypatch.setattr(setup, "create_venv", lambda: None)
    monkeypatch.setattr(setup, "build_messages", lambda: None)
    monkeypatch.setattr(setup, "install_package", lambda: None)
    assert setup.bring_up_to_date(["test"], locked=True)
    assert [Path(words[-1]).name for words in commands] == ["build.txt", "extras.txt"]
    assert all("--require-hashes" in words for words in commands)
    commands.clear()
    setup.bring_up_to_date([])
    assert [Path(words[-1]).name for words in commands] == ["ros.txt", "runtime.txt"]
    assert not (setup.STAMPS / "locked.stamp").exists(), "other versions may be there now"
    setup.bring_up_to_date(["test"], locked=True)
    assert not (setup.STAMPS / "runtime.stamp").exists()


def test_the_lock_holds_what_the_lists_ask_for() -> None:
    """Every requirement, in a version that it allows, with the hashes of its files."""
    folder = ROOT / "requirements"
    for name in ("base", "extras", "build"):
        text = (folder / "locked" / f"{name}.txt").read_text()
        for block in re.split(r"\n(?=[A-Za-z0-9])", text.partition("\n")[2].strip()):
            assert re.match(r"\S+==\S+( ; [^\\]+)? \\\n    --hash=sha256:[0-9a-f]{64}", block), (
                block
            )
    base = _versions(folder / "locked/base.txt")
    everything = {**_versions(folder / "locked/extras.txt"), **base}
    for name in ("ros", "runtime", "test", "training", "chat", "large"):
        locked = base if name in ("ros", "runtime") else everything
        for line in (folder / f"{name}.txt").read_text().splitlines():
            if line and not line.startswith("#"):
                wanted = Requirement(line)
                found = locked.get(canonicalize_name(wanted.name), [])
                assert found, f"{line}: run scripts/lock_requirements.py"
                assert all(wanted.specifier.contains(each) for each in found), line


def _versions(path: Path) -> dict[str, list[str]]:
    """Locked versions by name; a package may have several, of which markers choose."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9][\w.-]*)==([^\s;]+)", path.read_text(), re.M):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found
