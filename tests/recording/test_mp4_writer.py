"""What is written can be read back: frames, their number and rate, and the sound."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from avatar_nodes.recording.mp4_writer import Mp4Writer, RecordingError

SIZE = {"width": 64, "height": 48, "fps": 25, "sample_rate": 16000}


def test_written_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    levels = np.linspace(40, 220, 40).astype(np.uint8)
    tone = (9000 * np.sin(2 * np.pi * 440 * np.arange(40 * 640) / 16000)).astype(np.int16)
    with Mp4Writer(path, **SIZE) as writer:
        for number, level in enumerate(levels):
            writer.write_frame(np.full((48, 64, 3), level, np.uint8))
            writer.write_sound(tone[number * 640 : (number + 1) * 640])
        assert not path.exists()
    with av.open(str(path)) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.average_rate, video.frames, audio.rate) == (25, 40, 16000)
        assert float(video.duration * video.time_base) == pytest.approx(1.6)
        assert float(audio.duration * audio.time_base) == pytest.approx(1.6, abs=0.07)
        pictures = [frame.to_ndarray(format="rgb24") for frame in file.decode(video)]
    assert [round(float(picture.mean())) for picture in pictures] == pytest.approx(
        levels.tolist(), abs=4
    )
    with av.open(str(path)) as file:
        heard = np.concatenate([f.to_ndarray().ravel() for f in file.decode(audio=0)])
    spectrum = np.abs(np.fft.rfft(heard[4000:20000]))
    assert abs(int(np.argmax(spectrum)) - 440) <= 1
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_written_leaves_nothing(tmp_path: Path) -> None:
    Mp4Writer(tmp_path / "a.mp4", **SIZE).close()
    assert list(tmp_path.iterdir()) == []


def test_errors_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="even sides"):
        Mp4Writer(tmp_path / "a.mp4", **{**SIZE, "width": 63})
    with pytest.raises(RecordingError, match="No such file"):
        Mp4Writer(tmp_path / "none" / "a.mp4", **SIZE)
    with (
        pytest.raises(RecordingError, match=r"\(9, 9, 3\)"),
        Mp4Writer(tmp_path / "a.mp4", **SIZE) as writer,
    ):
        writer.write_frame(np.zeros((9, 9, 3), np.uint8))
