"""A node's process holds the libraries that the node uses, and no others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="no ROS here")

from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.process_command import write_parameters
from avatar_nodes.profile import NODE_KINDS, load_profile, with_values

HEAVY = {
    "torch", "transformers", "diffusers", "scipy", "sklearn", "onnxruntime", "cv2", "PIL", "av",
    "aiortc", "livekit", "pocketsphinx", "starlette", "uvicorn", "cryptography", "mcap", "openai",
    "circus", "tornado", "zmq",
}  # fmt: skip
"""Each takes 10 to 200 MB of a process."""
USED = {
    "conductor": {"torch"},
    "denoiser": {"torch"},
    "decoder": {"torch", "PIL"},
    "memory": {"torch"},
    "presenter": {"cv2", "PIL"},
    "recorder": {"av", "cv2", "PIL"},
    "archive": {"av", "cv2", "PIL", "mcap"},
    "kiosk": {"av", "cv2", "PIL", "aiortc", "starlette", "uvicorn", "cryptography"},
}
"""By the kinds of node that use one."""
READY = {
    "listener": {"livekit", "onnxruntime", "pocketsphinx"},
    "realtime": {"livekit"},
    "reasoner": set(),
    "voice": set(),
}
"""What those need that load their own models, once they are configured by default."""

_PROGRAM = """
import os, sys, rclpy
from avatar_nodes.nodes.container import node_class
rclpy.init(args=sys.argv)
node = node_class(sys.argv[1])(sys.argv[2])
if sys.argv[3] == "configured":
    node.trigger_configure()
    assert node.exit_code is None
print(*{name.partition(".")[0] for name in sys.modules}, flush=True)
os._exit(0)
"""


def _graph_with(kind: str, folder: Path) -> Graph:
    values = {
        "memory": {"enabled": True},
        "loudspeaker": {"enabled": True},
        "realtime": {"enabled": kind == "realtime"},
    }
    profile = with_values(load_profile("tiny"), values)
    return Graph.from_profile(profile, mode="converse", kiosk=True, out=folder / "out.mp4")


def _heavy_modules(kind: str, state: str, folder: Path) -> set[str]:
    graph = _graph_with(kind, folder)
    name = next(node.name for node in graph.nodes if node.kind == kind)
    ros = ["--ros-args", "-r", f"__ns:={graph.namespace}"]
    ros += ["--params-file", str(write_parameters(graph, folder))]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, kind, name, state, *ros],
        capture_output=True, text=True, check=False, timeout=120.0,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return HEAVY & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("kind", NODE_KINDS)
def test_a_node_imports_what_it_uses(kind: str, ros_domain: int, tmp_path: Path) -> None:
    assert _heavy_modules(kind, "constructed", tmp_path) <= USED.get(kind, set())


@pytest.mark.parametrize("kind", READY)
def test_the_default_backends_do_without_torch(kind: str, ros_domain: int, tmp_path: Path) -> None:
    assert _heavy_modules(kind, "configured", tmp_path) <= READY[kind]
