"""sensor_msgs/CameraInfo of a picture that no camera took: an ideal pinhole of the picture's
size."""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo


def camera_info(*, width: int, height: int, frame_id: str) -> CameraInfo:
    """Camera info without distortion; the focal length is that of a 53 degree view across the
    width."""
    focal = float(width)
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    info = CameraInfo(width=width, height=height, distortion_model="plumb_bob")
    info.header.frame_id = frame_id
    info.d = [0.0] * 5
    info.k = [focal, 0.0, centre_x, 0.0, focal, centre_y, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [focal, 0.0, centre_x, 0.0, 0.0, focal, centre_y, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info
