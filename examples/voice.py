"""A voice in the place of the avatar's own: hums a tone for each word."""

import uuid
from array import array
from contextlib import suppress

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from avatar_msgs.msg import AudioChunk, AudioDemand, ReplySegment, TurnControl

LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
RATE = 16_000
LEAD = RATE  # what may go out before anything is demanded


def synthesise(text: str) -> np.ndarray:
    """Your engine: int16 mono at RATE."""
    times = np.arange(RATE // 4) / RATE
    hum = 8000 * np.sin(2 * np.pi * 220 * times) * np.hanning(len(times))
    return np.tile(hum.astype(np.int16), len(text.split()))


class HummingVoice(Node):
    """Keeps the sound of one reply, and sends what the conductor demands of it."""

    def __init__(self) -> None:
        super().__init__("own_voice")
        self.cancelled = 0
        self.begin(-1)
        self.audio = self.create_publisher(AudioChunk, "speech/audio", 200)
        self.create_subscription(TurnControl, "turn/control", self.on_control, 16)
        self.create_subscription(ReplySegment, "reply", self.on_reply, 512)
        self.create_subscription(AudioDemand, "speech/demand", self.on_demand, LATCHED)

    def begin(self, turn: int) -> None:
        """Another reply, with a stream of its own; -1: none."""
        self.turn, self.stream = turn, f"turn-{turn}-{uuid.uuid4().hex}"
        self.sound, self.complete = np.zeros(0, np.int16), False
        self.next, self.limit = 0, LEAD

    def on_reply(self, sentence: ReplySegment) -> None:
        """Speak it; turn 0 is what the avatar says on its own, for an operator."""
        if sentence.cancelled or 0 < sentence.turn <= self.cancelled:
            return  # its reasoner has given it up, of which the conductor tells, too; or it is late
        if sentence.turn != self.turn or sentence.index == 0:
            self.begin(sentence.turn)
        self.sound = np.concatenate([self.sound, synthesise(sentence.text)])
        self.complete = sentence.is_last
        self.send()

    def on_demand(self, demand: AudioDemand) -> None:
        """Go on where the conductor is, which may be before what was sent: it was held there."""
        if demand.stream in ("", self.stream):
            self.next, self.limit = demand.next_sample, demand.limit_sample
            self.send()

    def on_control(self, order: TurnControl) -> None:
        """What is sent while a reply is held is not taken, so that it is sent again afterwards."""
        if order.command == TurnControl.CANCEL:
            self.cancelled = max(self.cancelled, order.turn)
            if self.turn == order.turn or 0 < self.turn < order.turn:
                self.begin(-1)
        elif order.command == TurnControl.RESUME:
            self.send()

    def send(self) -> None:
        """Send the samples from `next` to `limit`, and the end of the stream if it is there."""
        piece = self.sound[self.next : self.limit]
        ends = self.complete and self.next + len(piece) == len(self.sound)
        if len(piece) or ends:
            chunk = AudioChunk(stream=self.stream, sample_rate=RATE, channels=1)
            chunk.header.stamp = self.get_clock().now().to_msg()
            chunk.first_sample, chunk.end_of_stream = self.next, ends
            chunk.data = array("h", piece.tobytes())
            self.audio.publish(chunk)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, ExternalShutdownException), rclpy.init():
        rclpy.spin(HummingVoice())
