"""Checks ROS 2: its origin, middleware, our messages, optional packages, shared memory."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import re
from pathlib import Path

from avatar_nodes.machine.finding import Finding
from avatar_nodes.profile.resources import ResourceError, share_path

_SHARED_MEMORY = Path("/dev/shm")
_MIB = 1 << 20
_PROCESSES = 8  # of the largest usual graph, each with a segment of its own


def check_ros() -> Finding:
    """rclpy, from a sourced distribution or from wheels."""
    remedy = "run `make setup`, or source a ROS 2 distribution (Jazzy, Kilted)"
    try:
        rclpy = importlib.import_module("rclpy")
    except ImportError as error:
        return Finding("ROS 2", False, str(error).splitlines()[0], remedy)
    distribution = os.environ.get("ROS_DISTRO")
    if distribution:
        return Finding(
            "ROS 2", True, f"{distribution}, sourced ({Path(str(rclpy.__file__)).parent})"
        )
    try:
        version = importlib.metadata.version("rclpy")
    except importlib.metadata.PackageNotFoundError:
        version = "of unknown version"
    return Finding("ROS 2", True, f"rclpy {version} from wheels")


def check_messages() -> Finding:
    """The message package, built."""
    remedy = "run `make setup` (pip way) or `colcon build` and source install/setup.bash"
    try:
        importlib.import_module("avatar_msgs.msg").BlockConditioning  # noqa: B018
        importlib.import_module("avatar_msgs.action")
    except (ImportError, AttributeError) as error:
        return Finding("avatar_msgs", False, str(error).splitlines()[0], remedy)
    return Finding("avatar_msgs", True, "built")


def check_middleware() -> Finding:
    """The DDS implementation in use; the shipped profile is for Fast DDS."""
    remedy = "unset RMW_IMPLEMENTATION or set it to rmw_fastrtps_cpp"
    try:
        name = importlib.import_module("rclpy").get_rmw_implementation_identifier()
    except ImportError as error:
        return Finding("middleware", False, str(error).splitlines()[0], remedy)
    except Exception as error:  # rclpy's extension raises what the loader says
        return Finding("middleware", False, str(error).splitlines()[0], remedy)
    tuned = name == "rmw_fastrtps_cpp"
    found = name if tuned else f"{name} (untuned: the shipped profile is for Fast DDS)"
    return Finding("middleware", tuned, found, "" if tuned else remedy, required=False)


def check_optional_packages() -> list[Finding]:
    """cv_bridge and launch_ros, which come with a distribution only."""
    texts = {
        "cv_bridge": "only for image encodings other than rgb8, bgr8 and mono8 that others send",
        "launch_ros": "only for `ros2 launch`; `avatar up` does without",
    }
    return [
        Finding(name, True, "installed")
        if importlib.util.find_spec(name)
        else Finding(name, False, f"not installed: {use}", "a ROS 2 distribution has it", False)
        for name, use in texts.items()
    ]


def check_shared_memory(folder: Path = _SHARED_MEMORY) -> Finding:
    """Room for one Fast DDS segment a process."""
    needed = _segment_size() * _PROCESSES
    try:
        status = os.statvfs(folder)
    except OSError as error:
        return Finding("shared memory", False, f"{folder}: {error.strerror}", "mount a tmpfs there")
    free = status.f_bavail * status.f_frsize
    found = f"{free // _MIB} MiB free in {folder}, {needed // _MIB} MiB needed by a graph"
    remedy = f"remount {folder} larger (docker run --shm-size={needed * 2 // _MIB}m)"
    return Finding("shared memory", free >= needed, found, remedy if free < needed else "")


def _segment_size() -> int:
    try:
        text = share_path("config", "fastdds.xml").read_text(encoding="utf-8")
    except (ResourceError, OSError):
        return 0
    match = re.search(r"<segment_size>\s*(\d+)", text)
    return int(match.group(1)) if match else 0
