"""A viewer of one's own: pairs every picture with its sound, and says once a second what it got."""

from contextlib import suppress

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from sensor_msgs.msg import Image

from avatar_msgs.msg import AudioChunk


class Viewer(Node):
    """A picture and its sound have the same stamp, and come in any order."""

    def __init__(self) -> None:
        super().__init__("own_viewer")
        self.waiting: dict[tuple[int, int], np.ndarray] = {}
        self.shown, self.loudest = 0, 0
        self.create_subscription(Image, "image_raw", self.on_image, 100)
        self.create_subscription(AudioChunk, "audio", self.on_audio, 100)
        self.create_timer(1.0, self.report)

    def on_image(self, msg: Image) -> None:
        """rgb8, uint8 [height, width, 3]."""
        pixels = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.width, 3)
        self.pair((msg.header.stamp.sec, msg.header.stamp.nanosec), pixels)

    def on_audio(self, msg: AudioChunk) -> None:
        """int16, the 40 ms that are heard with the picture."""
        samples = np.frombuffer(msg.data, np.int16)
        self.pair((msg.header.stamp.sec, msg.header.stamp.nanosec), samples)

    def pair(self, stamp: tuple[int, int], half: np.ndarray) -> None:
        """Show it if the other half is there; what has waited for 50 others never gets its own."""
        other = self.waiting.pop(stamp, None)
        if other is None:
            self.waiting[stamp] = half
            if len(self.waiting) > 50:
                del self.waiting[next(iter(self.waiting))]
        else:
            self.show(*((half, other) if half.ndim == 3 else (other, half)))

    def show(self, pixels: np.ndarray, samples: np.ndarray) -> None:
        """Your window, your robot's face and its loudspeaker."""
        self.shown += 1
        self.loudest = max(self.loudest, int(np.abs(samples.astype(np.int32)).max(initial=0)))

    def report(self) -> None:
        """What the last second brought."""
        self.get_logger().info(f"{self.shown} pictures with sound, loudest {self.loudest}")
        self.shown, self.loudest = 0, 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, ExternalShutdownException), rclpy.init():
        rclpy.spin(Viewer())
