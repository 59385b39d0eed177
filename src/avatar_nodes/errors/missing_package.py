"""Says what to install for a module that a command needs and that is not there."""

from __future__ import annotations

import re
from importlib import metadata

OURS = "avatar_nodes"
_PACKAGES = {
    "PIL": "pillow", "OpenGL": "moderngl", "c2pa": "c2pa-python", "cv2": "opencv-python-headless",
    "piper": "piper-tts", "scenedetect": "scenedetect-headless", "skimage": "scikit-image",
    "yaml": "PyYAML", "zmq": "pyzmq",
}  # fmt: skip
"""Modules whose package has another name."""
_ROS = ("rclpy", "launch", "launch_ros", "ament_index_python", "avatar_msgs")
_ROS_PACKAGE = re.compile(r"^(\w+_(msgs|interfaces|srvs)|ros\w*|rcl\w*)$")


def what_to_install(error: ImportError) -> str | None:
    """One line; None: what is missing is a part of our own, which nothing mends."""
    module = (error.name or "").partition(".")[0]
    if module == OURS or not module:
        return None
    if module in _ROS or _ROS_PACKAGE.match(module):
        return f"ROS 2 is not usable here ({error}); see `avatar check`"
    if not isinstance(error, ModuleNotFoundError):  # a library of the system's
        return f"{module} cannot be loaded: {' '.join(str(error).split())}"
    package = _PACKAGES.get(module, module)
    extra = _extra_of(package)
    missing = f"the Python package {package} is missing"
    if extra is None:
        return f"{missing}: run `make setup`, or pip install {package}"
    return f"{missing}: pip install '{OURS}[{extra}]'; in a checkout `make setup-test`"


def _extra_of(package: str) -> str | None:
    """The extra of our package that brings it."""
    try:
        required = metadata.requires(OURS) or []
    except metadata.PackageNotFoundError:
        return None
    for requirement in required:
        name = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"extra == ['\"](\w+)['\"]", requirement)
        if name and extra and _same(name[0], package):
            return extra[1]
    return None


def _same(one: str, other: str) -> bool:
    return re.sub(r"[-_.]+", "-", one).lower() == re.sub(r"[-_.]+", "-", other).lower()
