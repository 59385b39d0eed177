"""sensor_msgs/Image <-> uint8 RGB arrays.

Out: rgb8 only, filled in one copy. In: any encoding that `cv_bridge` converts where it is
installed, otherwise the five usual 8-bit ones.
"""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from avatar_nodes.errors.refused_error import RefusedError

_CHANNELS = {"rgb8": 3, "bgr8": 3, "mono8": 1, "rgba8": 4, "bgra8": 4}
_ORDER = {
    "rgb8": [0, 1, 2],
    "bgr8": [2, 1, 0],
    "mono8": [0, 0, 0],
    "rgba8": [0, 1, 2],
    "bgra8": [2, 1, 0],
}
_LARGEST_SIDE = 16384
_ROS1_BRIDGE = "1."


def image_to_msg(frame: np.ndarray, *, frame_id: str = "") -> Image:
    """rgb8 image of a uint8 frame [H, W, 3]; stamp left empty.

    Raises:
        RefusedError: `shape`: the array is not uint8 [H, W, 3].
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise RefusedError("shape", f"frame {frame.dtype} {frame.shape}, expected uint8 [H, W, 3]")
    height, width, _ = frame.shape
    msg = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    msg.header.frame_id = frame_id
    msg.data.frombytes(np.ascontiguousarray(frame).data.cast("B"))
    return msg


def image_from_msg(msg: Image) -> np.ndarray:
    """uint8 RGB [H, W, 3] of an image in any encoding known here; rgb8 shares the message's memory.

    Raises:
        RefusedError: `size`, `encoding`, or `length` (step and data disagree with the size).
    """
    if not 0 < msg.width <= _LARGEST_SIDE or not 0 < msg.height <= _LARGEST_SIDE:
        raise RefusedError("size", f"image of {msg.width}x{msg.height} pixels")
    channels = _CHANNELS.get(msg.encoding)
    if channels is None:
        return _by_cv_bridge(msg)
    row = msg.width * channels
    if msg.step < row or len(msg.data) != msg.step * msg.height:
        raise RefusedError(
            "length",
            f"{len(msg.data)} bytes, rows of {msg.step}: {msg.width}x{msg.height} {msg.encoding}",
        )
    rows = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)[:, :row]
    pixels = rows.reshape(msg.height, msg.width, channels)
    return pixels if msg.encoding == "rgb8" else pixels[:, :, _ORDER[msg.encoding]]


def image_to_jpeg_msg(frame: np.ndarray, *, quality: int, frame_id: str = "") -> CompressedImage:
    """JPEG of a uint8 RGB frame [H, W, 3], as image_transport lays it out; stamp left empty."""
    done, jpeg = cv2.imencode(".jpg", frame[:, :, ::-1], [int(cv2.IMWRITE_JPEG_QUALITY), quality])
    if not done:
        raise RefusedError("encoding", f"frame {frame.shape} does not become a JPEG")
    msg = CompressedImage(format="rgb8; jpeg compressed bgr8")
    msg.header.frame_id = frame_id
    msg.data.frombytes(jpeg.data)
    return msg


@cache
def cv_bridge() -> ModuleType | None:
    """The cv_bridge of a ROS 2 installation; None where there is none (PyPI's is ROS 1's and
    wrong)."""
    try:
        bridge = importlib.import_module("cv_bridge")
    except ImportError:
        return None
    return None if str(getattr(bridge, "__version__", "")).startswith(_ROS1_BRIDGE) else bridge


def _by_cv_bridge(msg: Image) -> np.ndarray:
    bridge: Any = cv_bridge()
    if bridge is None:
        known = ", ".join(_CHANNELS)
        raise RefusedError(
            "encoding", f"encoding '{msg.encoding[:32]}': without cv_bridge one of {known}"
        )
    try:
        return np.asarray(bridge.CvBridge().imgmsg_to_cv2(msg, desired_encoding="rgb8"))
    except Exception as error:  # cv_bridge raises its own, OpenCV's, numpy's and built-in errors
        raise RefusedError("encoding", f"encoding '{msg.encoding[:32]}': {error}") from error
