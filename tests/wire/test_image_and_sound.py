"""Images, frames and sound on the wire; both ways of reading an image give the same pixels."""

from __future__ import annotations

import array

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS here")

from sensor_msgs.msg import Image

from avatar_msgs.msg import AudioChunk, FrameBlock
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.wire.audio import audio_from_msg, audio_to_msg
from avatar_nodes.wire.camera import camera_info
from avatar_nodes.wire.frames import frames_from_msg, frames_to_msg
from avatar_nodes.wire.image import cv_bridge, image_from_msg, image_to_jpeg_msg, image_to_msg
from avatar_nodes.wire.qos import BURST_FRAMES, PUBLIC_NAMES, public_qos
from avatar_nodes.wire.stamp import nanoseconds, stamp_of

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
ENCODED = {
    "rgb8": RGB,
    "bgr8": RGB[:, :, ::-1],
    "rgba8": np.dstack([RGB, np.full((5, 7), 9, np.uint8)]),
    "bgra8": np.dstack([RGB[:, :, ::-1], np.full((5, 7), 9, np.uint8)]),
    "mono8": RGB[:, :, :1],
}


def image(encoding: str, pixels: np.ndarray, padding: int = 0) -> Image:
    rows = np.ascontiguousarray(pixels).reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    height, width = pixels.shape[:2]
    data = array.array("B", rows.tobytes())
    return Image(height=height, width=width, encoding=encoding, step=rows.shape[1], data=data)


def test_rgb8_out_and_in() -> None:
    msg = image_to_msg(RGB, frame_id="eye")
    assert (msg.height, msg.width, msg.step, msg.encoding) == (5, 7, 21, "rgb8")
    assert (msg.is_bigendian, msg.header.frame_id) == (0, "eye")
    assert msg.data.tobytes() == RGB.tobytes()
    assert np.array_equal(image_from_msg(msg), RGB)
    assert np.array_equal(image_from_msg(image_to_msg(RGB[:, ::2])), RGB[:, ::2])


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("padding", [0, 5])
def test_usual_encodings_become_rgb(encoding: str, padding: int) -> None:
    expected = np.repeat(RGB[:, :, :1], 3, axis=2) if encoding == "mono8" else RGB
    assert np.array_equal(image_from_msg(image(encoding, ENCODED[encoding], padding)), expected)


@pytest.mark.skipif(cv_bridge() is None, reason="no cv_bridge of ROS 2 here")
@pytest.mark.parametrize("encoding", ENCODED)
def test_cv_bridge_says_the_same(encoding: str) -> None:
    bridge = cv_bridge().CvBridge()  # type: ignore[union-attr]
    msg = image(encoding, ENCODED[encoding])
    assert np.array_equal(image_from_msg(msg), bridge.imgmsg_to_cv2(msg, "rgb8"))
    out = image_to_msg(RGB)
    assert out.data == bridge.cv2_to_imgmsg(RGB, "rgb8").data


@pytest.mark.parametrize(
    ("msg", "reason"),
    [
        (Image(height=0, width=5, encoding="rgb8"), "size"),
        (Image(height=2, width=2**31, encoding="rgb8"), "size"),
        (Image(height=2, width=2, encoding="rgb8", step=6, data=[0] * 11), "length"),
        (Image(height=2, width=2, encoding="rgb8", step=5, data=[0] * 10), "length"),
        (Image(height=2, width=2, encoding="no such thing", step=6, data=[0] * 12), "encoding"),
    ],
)
def test_impossible_images_are_refused(msg: Image, reason: str) -> None:
    with pytest.raises(RefusedError) as error:
        image_from_msg(msg)
    assert error.value.reason == reason


def test_only_frames_are_sent() -> None:
    for wrong in (RGB[:, :, :1], RGB.astype(np.float32), RGB[0]):
        with pytest.raises(RefusedError):
            image_to_msg(wrong)


def test_jpeg_looks_the_same() -> None:
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    picture = np.dstack(
        [np.tile(ramp, (64, 1)), np.tile(ramp[:, None], (1, 64)), np.full((64, 64), 80)]
    )
    msg = image_to_jpeg_msg(picture.astype(np.uint8), quality=95)
    back = cv2.imdecode(np.frombuffer(msg.data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert "jpeg" in msg.format
    assert np.abs(back.astype(int) - picture).mean() < 3


def test_frame_blocks() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (12, 4, 6, 3), dtype=np.uint8)
    msg = frames_to_msg(frames, epoch=3, block=2**40)
    assert (msg.epoch, msg.block, msg.count, msg.height, msg.width) == (3, 2**40, 12, 4, 6)
    assert (msg.first_frame, msg.block_frames) == (0, 12)
    assert np.array_equal(frames_from_msg(msg, height=4, width=6), frames)
    part = frames_to_msg(frames[4:8], epoch=3, block=0, first_frame=4, block_frames=12)
    assert (part.first_frame, part.count, part.block_frames) == (4, 4, 12)
    assert np.array_equal(frames_from_msg(part), frames[4:8])
    for wrong, reason in (
        ({"count": 2, "block_frames": 2, "data": [0]}, "length"),
        ({"count": 0}, "size"),
        ({"width": 0}, "size"),
        ({"height": 8}, "size"),
        ({"block_frames": 0}, "size"),
        ({"first_frame": 1}, "size"),
        ({"first_frame": 2**32 - 1, "block_frames": 2**32 - 1}, "size"),
        ({"block_frames": 2**20}, "size"),
        ({"encoding": "bgr8"}, "encoding"),
    ):
        good = {"count": 1, "block_frames": 1, "height": 4, "width": 6, "encoding": "rgb8"}
        with pytest.raises(RefusedError) as error:
            frames_from_msg(FrameBlock(**good | wrong), height=4, width=None)
        assert error.value.reason == reason


def test_sound_survives() -> None:
    samples = np.array([-32768, -1, 0, 1, 32767], np.int16)
    msg = audio_to_msg(
        samples, stream="s", sample_rate=16000, first_sample=2**40, end_of_stream=True
    )
    assert np.array_equal(audio_from_msg(msg, sample_rate=16000, channels=1), samples)
    assert (msg.first_sample, msg.end_of_stream, msg.channels) == (2**40, True, 1)
    empty = audio_to_msg(samples[:0], stream="s", sample_rate=16000, first_sample=0)
    assert len(audio_from_msg(empty)) == 0


@pytest.mark.parametrize(
    ("msg", "reason"),
    [
        (AudioChunk(sample_rate=0, channels=1), "rate"),
        (AudioChunk(sample_rate=2**31, channels=1), "rate"),
        (AudioChunk(sample_rate=8000, channels=1), "rate"),
        (AudioChunk(sample_rate=16000, channels=0), "channels"),
        (AudioChunk(sample_rate=16000, channels=1000), "channels"),
        (AudioChunk(sample_rate=16000, channels=2, data=[1, 2, 3]), "length"),
    ],
)
def test_impossible_sound_is_refused(msg: AudioChunk, reason: str) -> None:
    with pytest.raises(RefusedError) as error:
        audio_from_msg(msg, sample_rate=16000)
    assert error.value.reason == reason


def test_camera_and_qos() -> None:
    info = camera_info(width=256, height=192, frame_id="eye")
    assert (info.width, info.height, info.k[2], info.k[5]) == (256, 192, 127.5, 95.5)
    assert len(info.d) == 5
    for name in PUBLIC_NAMES:
        assert public_qos(name).depth == BURST_FRAMES >= 12
    with pytest.raises(ValueError, match="expected one of SYSTEM_DEFAULT"):
        public_qos("BEST")


def test_stamps_are_exact() -> None:
    assert nanoseconds(stamp_of(1_795_250_388_831_000_123)) == 1_795_250_388_831_000_123
