"""A command whose packages are not installed says in one line which to install."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from avatar_nodes.errors.missing_package import what_to_install

SOURCE = Path(__file__).resolve().parent.parent.parent / "src" / "avatar_nodes"
OF_ROS = {
    "action_msgs", "ament_index_python", "audio_common_msgs", "avatar_msgs", "builtin_interfaces",
    "diagnostic_msgs", "hri_msgs", "launch", "launch_ros", "lifecycle_msgs", "rcl_interfaces",
    "rclpy", "rosbag2_py", "rosidl_runtime_py", "sensor_msgs", "std_msgs", "std_srvs",
}  # fmt: skip
BY_THEMSELVES = {
    "pip": "comes with Python",
    "llvmlite": "only asked for",
}


def _imported() -> set[str]:
    """Modules of others that ours import."""
    names: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").partition(".")[0])
    return names - sys.stdlib_module_names - {"avatar_nodes"}


def _missing(module: str) -> str:
    return what_to_install(ModuleNotFoundError(f"No module named {module!r}", name=module)) or ""


def test_all_that_is_imported_is_known_by_its_package() -> None:
    lines = {module: _missing(module) for module in _imported()}
    of_ros = {module for module, line in lines.items() if line.startswith("ROS 2")}
    assert of_ros <= OF_ROS
    assert all(line and "\n" not in line for line in lines.values())
    for module, extra in (("webdataset", "training"), ("skimage", "training"), ("c2pa", "c2pa"),
                          ("openai", "chat"), ("diffusers", "large"), ("playwright", "bench"),
                          ("piper", "piper"), ("pyaudio", "microphone")):  # fmt: skip
        assert f"avatar_nodes[{extra}]" in _missing(module), module
    assert "pip install pyaudio" not in _missing("webdataset")


def test_what_is_missing_of_our_own_is_a_fault_that_shows() -> None:
    assert what_to_install(ImportError("cannot import", name="avatar_nodes.nothing")) is None
    assert what_to_install(ImportError("circular")) is None


def test_a_library_of_the_system_is_named() -> None:
    error = ImportError("libGL.so.1: cannot open\nshared object file", name="cv2")
    assert (
        what_to_install(error) == "cv2 cannot be loaded: libGL.so.1: cannot open shared object file"
    )


@pytest.mark.parametrize("stage", ["data", "encode", "causal"])
def test_training_without_its_extra_is_one_line(stage: str, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['webdataset'] = None\nfrom avatar_nodes.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "train", stage, "--run", tmp_path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "Error: the Python package webdataset is missing: pip install 'avatar_nodes[training]';"
        " in a checkout `make setup-test`\n"
    )
