"""The presenter marks what leaves it, on every topic of pictures, if it is told to."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import rclpy
from sensor_msgs.msg import CompressedImage, Image
from support.marked_pictures import scene
from support.settings import overrides_of
from support.spinner import Spinner, wait_until

from avatar_msgs.msg import BlockConditioning, EpochStart, FrameBlock
from avatar_nodes.marking.reader import WatermarkReader, WatermarkReading
from avatar_nodes.nodes.presenter import PresenterNode
from avatar_nodes.presenting.settings import PresenterSettings
from avatar_nodes.wire.audio import audio_to_msg
from avatar_nodes.wire.frames import frames_to_msg
from avatar_nodes.wire.image import image_from_msg
from avatar_nodes.wire.qos import BLOCKS, FRAMES, LATCHED, public_qos


def read(frames: list[np.ndarray]) -> WatermarkReading:
    reader = WatermarkReader()
    for frame in frames:
        reader.add(frame)
    return reader.read()


def present(
    context: rclpy.Context, spinner: Spinner, frames: list[np.ndarray], **parameters: object
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A block through a presenter: what came on image_raw and on image_raw/compressed."""
    parameters |= {"pace": "free", "readers": 1}
    overrides = overrides_of(PresenterSettings(width=256, height=256, **parameters))
    node = PresenterNode(context=context, parameter_overrides=overrides)
    node.autostart()
    peer = spinner.create_node("peer")
    raw: list[Image] = []
    jpeg: list[CompressedImage] = []
    qos = public_qos("RELIABLE")
    peer.create_subscription(Image, "image_raw", raw.append, qos)
    peer.create_subscription(CompressedImage, "image_raw/compressed", jpeg.append, qos)
    makers = [
        peer.create_publisher(EpochStart, "blocks/epoch", LATCHED),
        peer.create_publisher(BlockConditioning, "blocks/conditioning", BLOCKS),
        peer.create_publisher(FrameBlock, "blocks/frames", FRAMES),
    ]
    spinner.add(node)
    outputs = (node._image, node._jpeg)
    wait_until(lambda: all(out.get_subscription_count() for out in outputs), what="readers")
    makers[0].publish(EpochStart(epoch=1))
    wait_until(lambda: node.heartbeat.condition.epoch == 1, what="the epoch")
    sound = audio_to_msg(
        np.zeros(640 * len(frames), np.int16), stream="s", sample_rate=16000, first_sample=0
    )
    makers[1].publish(BlockConditioning(epoch=1, sound=sound))
    makers[2].publish(frames_to_msg(np.stack(frames), epoch=1, block=0))
    wait_until(lambda: len(raw) == len(jpeg) == len(frames), what="the block")
    node.heartbeat.stop()
    decoded = [cv2.imdecode(np.array(msg.data), cv2.IMREAD_COLOR)[:, :, ::-1] for msg in jpeg]
    return [image_from_msg(msg) for msg in raw], decoded


@pytest.mark.parametrize("marks", [True, False])
def test_pictures_of_all_topics(ros_context: rclpy.Context, spinner: Spinner, marks: bool) -> None:
    frames = scene(12)
    raw, jpeg = present(
        ros_context, spinner, frames, watermark=marks, label=marks, mark_number=12,
        mark_corner="top_left",
    )  # fmt: skip
    if not marks:
        assert np.array_equal(raw, frames)
        assert read(jpeg).verdict == "not marked"
        return
    for pictures in (raw, jpeg):
        reading = read(pictures)
        assert (reading.verdict, reading.number) == ("marked", 12)
    below_label, beside_label = raw[0][24:, :, :], raw[0][:24, 128:, :]
    for part, before in ((below_label, frames[0][24:]), (beside_label, frames[0][:24, 128:])):
        assert np.abs(part.astype(int) - before).max() <= 3
    assert np.abs(raw[0][:24, :100].astype(int) - frames[0][:24, :100]).max() > 90


def test_a_label_that_does_not_fit_is_a_wrong_configuration(
    ros_context: rclpy.Context, spinner: Spinner
) -> None:
    overrides = overrides_of(PresenterSettings(label=True, width=32, height=256))
    node = PresenterNode(context=ros_context, parameter_overrides=overrides)
    node.autostart()
    spinner.add(node)
    assert node.exit_code == 78
    assert "label 'AI generated' does not fit into 32x256" in node.heartbeat.condition.detail
    node.heartbeat.stop()
