"""`avatar verify`: what it says of files, in words, as JSON and by its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from click.testing import CliRunner, Result
from support.marked_pictures import scene

from avatar_nodes.cli import main
from avatar_nodes.marking.marker import Marker, MarkingChoice
from avatar_nodes.marking.metadata import DIGITAL_SOURCE_TYPE
from avatar_nodes.recording.mp4_writer import Mp4Writer


def verify(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, words)])


def write_video(path: Path, frames: list[np.ndarray]) -> Path:
    with Mp4Writer(path, width=256, height=256, fps=25, sample_rate=16000) as writer:
        for frame in frames:
            writer.write_frame(frame)
    return path


def without_metadata(video: Path) -> Path:
    """The same video, its words about itself made unreadable."""
    content = video.read_bytes()
    assert content.count(DIGITAL_SOURCE_TYPE.encode()) == 2  # comment and XMP
    copy = video.with_name("stripped.mp4")
    copy.write_bytes(content.replace(b"digitalsourcetype", b"x" * 17))
    return copy


def test_a_marked_video(tmp_path: Path) -> None:
    marker = Marker(MarkingChoice(number=7))
    video = write_video(tmp_path / "a.mp4", [marker.mark(frame) for frame in scene(60)])
    done = verify("--json", video)
    assert done.exit_code == 0
    marks = json.loads(done.output)
    assert (marks["verdict"], marks["source_type"]) == ("marked", DIGITAL_SOURCE_TYPE)
    assert (marks["watermark"]["verdict"], marks["watermark"]["number"]) == ("marked", 7)
    assert marks["watermark"]["pictures"] == 60
    assert marks["watermark"]["confidence"] > 0.999999
    stripped = verify(without_metadata(video))
    assert stripped.exit_code == 0
    assert "stripped.mp4: marked" in stripped.output
    assert "number 7" in stripped.output


def test_metadata_alone_are_a_mark(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", scene(30))
    marks = json.loads(verify("--json", video).output)
    assert (marks["verdict"], marks["watermark"]["verdict"]) == ("marked", "not marked")
    stripped = verify(without_metadata(video))
    assert (stripped.exit_code, "not marked, confidence" in stripped.output) == (3, True)


def test_images(tmp_path: Path) -> None:
    frame = scene(1)[0]
    marked = Marker(MarkingChoice(label=False, number=3)).mark(frame)
    for name, picture, code in (("m.jpg", marked, 0), ("m.png", marked, 0), ("u.png", frame, 3)):
        cv2.imwrite(str(tmp_path / name), picture[:, :, ::-1])
        assert verify(tmp_path / name).exit_code == code
    cv2.imwrite(str(tmp_path / "small.png"), marked[:50, :50])
    done = verify(tmp_path / "small.png")
    assert (done.exit_code, "cannot tell" in done.output) == (4, True)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video" * 100)
    for name in ("none.mp4", "empty.mp4", "text.mp4", "."):
        done = verify(tmp_path / name)
        assert done.exit_code in (1, 2)
        assert len([line for line in done.output.splitlines() if "Error" in line]) == 1, done.output
