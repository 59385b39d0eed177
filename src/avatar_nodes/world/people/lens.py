"""Makes a drawn picture look as if a camera had taken it: softness, colour cast, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from avatar_nodes.world.people.identity import Camera


def photographed(picture: np.ndarray, camera: Camera, seed: int) -> np.ndarray:
    """uint8 RGB of the same size; the same seed gives the same noise."""
    out: np.ndarray = picture.astype(np.float32)
    if camera.softness > 0.0:
        out = cv2.GaussianBlur(out, (0, 0), camera.softness)
    out = (out - 118.0) * camera.contrast + 118.0
    out *= np.array(camera.balance, np.float32)
    if camera.noise > 0.0:
        rng = np.random.default_rng([seed, 0x15E])
        # Sensors are noisier in the dark.
        dark = 1.3 - 0.6 * out.mean(axis=2, keepdims=True) / 255.0
        out += camera.noise * dark * rng.standard_normal(out.shape, np.float32)
    levels = np.clip(np.rint(out), 0, 255).astype(np.uint8)
    if camera.quality >= 100:
        return levels
    _, packed = cv2.imencode(".jpg", levels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, camera.quality])
    unpacked = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert unpacked is not None
    return np.ascontiguousarray(unpacked[:, :, ::-1])
