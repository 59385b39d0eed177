"""Who may import whom: the contracts of pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_import_contracts_are_kept() -> None:
    tool = Path(sys.prefix, "bin", "lint-imports")
    done = subprocess.run([tool], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_library_imports_without_ros() -> None:
    """In a Python that cannot see ROS, every module of the library imports."""
    program = """
import importlib, pkgutil, sys

class NoRos:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("rclpy", "avatar_msgs", "sensor_msgs", "std_msgs", "launch"):
            raise ModuleNotFoundError(f"imported {name}", name=name)

sys.meta_path.insert(0, NoRos())
import avatar_nodes

count = 0
for part in (
    "block", "clips", "conducting", "decoding", "denoising", "evaluation", "hearing", "judging",
    "machine", "marking", "mind", "model", "pipeline", "presenting", "profile", "recording",
    "remembering", "sound", "speaking", "timeline", "training", "web", "world",
):
    package = importlib.import_module(f"avatar_nodes.{part}")
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
            count += 1
print(count)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
