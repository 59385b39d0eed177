"""Files roll, what is too much is lost and counted, and a full disk ends it with a reason."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable, Collection
from pathlib import Path

import av
import numpy as np
import pytest
from support.waiting import wait_until

from avatar_nodes.marking.file_check import check_file
from avatar_nodes.marking.marker import Marker
from avatar_nodes.recording.live_recording import LiveRecording, RecordingLimits
from avatar_nodes.recording.mp4_writer import RecordingError
from avatar_nodes.recording.rolling_folder import RollingFolder
from avatar_nodes.recording.stamp_pairing import Pair
from avatar_nodes.recording.video_archive import VideoFormat

FRAME_NS = 40_000_000
VIDEO = VideoFormat(width=128, height=128, fps=25, sample_rate=16000, crf=23)


def recording(
    folder: Path,
    *,
    keep_files: int = 0,
    marker: Marker | None = None,
    definition_of: Callable[[str], str] | None = None,
    **limits: float,
) -> LiveRecording:
    values = {"file_s": 2.0, "file_bytes": 10**9, "free_bytes": 0, "queue_frames": 1000, **limits}
    rolling = RollingFolder(folder, name="avatar", keep_bytes=0, keep_files=keep_files)
    return LiveRecording(
        rolling, VIDEO, RecordingLimits(**values),  # type: ignore[arg-type]
        marker or Marker(), definition_of=definition_of,
    )  # fmt: skip


def pair(number: int, *, missing: int = 0) -> Pair:
    picture = np.full((128, 128, 3), (number * 3) % 200 + 20, np.uint8)
    return Pair(number * FRAME_NS, picture, np.full(640, 900, np.int16), False, missing)


def frames_of(path: Path) -> int:
    with av.open(str(path)) as file:
        return sum(1 for _ in file.decode(video=0))


def test_files_roll_and_are_marked(tmp_path: Path) -> None:
    live = recording(tmp_path)
    live.add(pair(0))  # before it is asked to: not recorded
    live.start()
    for number in range(1, 126):
        live.add(pair(number))
    live.stop()
    live.add(pair(126))
    files = sorted(tmp_path.iterdir())
    assert [frames_of(path) for path in files] == [50, 50, 25]
    assert check_file(files[0]).watermark.verdict == "marked"
    assert (live.status.active, live.status.file, live.status.frames_lost) == (
        False,
        str(files[-1]),
        0,
    )
    assert live.status.seconds == pytest.approx(1.0)
    assert live.status.bytes == files[-1].stat().st_size
    live.close()


def test_the_oldest_go(tmp_path: Path) -> None:
    live = recording(tmp_path, keep_files=2)
    live.start()
    for number in range(200):
        live.add(pair(number))
    live.close()
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_too_old_goes_while_nothing_is_recorded(tmp_path: Path) -> None:
    old = tmp_path / "avatar_20200131T120000Z.mp4"
    old.write_bytes(b"")
    rolling = RollingFolder(tmp_path, name="avatar", keep_bytes=0, keep_files=0, keep_days=1.0)
    live = LiveRecording(rolling, VIDEO, RecordingLimits(2.0, 10**9, 0, 1000), Marker())
    live.look_after()
    live.close()
    assert not old.exists()


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    live = recording(tmp_path, definition_of=lambda kind: "")
    live.start()
    live.add(pair(0))
    live.close()
    modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {".mp4": 0o600, ".mcap": 0o600}


def test_a_jump_of_the_stream_begins_a_new_file(tmp_path: Path) -> None:
    live = recording(tmp_path, file_s=60.0)
    live.start()
    for number in [*range(10), *range(500, 510), *range(20, 30)]:
        live.add(pair(number))
    live.close()
    assert [frames_of(path) for path in sorted(tmp_path.iterdir())] == [10, 10, 10]


class _HeldMarker(Marker):
    """Takes its time, as a busy machine does."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = threading.Event()
        self.go_on = threading.Event()

    def mark(self, frame: np.ndarray) -> np.ndarray:
        self.busy.set()
        self.go_on.wait(60.0)
        return super().mark(frame)


def test_what_it_has_no_time_for_is_lost_and_counted(tmp_path: Path) -> None:
    marker = _HeldMarker()
    live = recording(tmp_path, marker=marker, queue_frames=10, file_s=60.0)
    live.start()
    live.add(pair(0))
    assert marker.busy.wait(60.0)
    for number in range(1, 31):
        live.add(pair(number))
    assert live.status.frames_lost == 20
    assert "20 frames lost" in live.status.problem
    marker.go_on.set()
    wait_until(lambda: live._frames_waiting == 0, what="the waiting frames")
    live.add(pair(40, missing=3))
    live.stop()
    assert live.status.frames_lost == 23
    file = next(tmp_path.iterdir())
    assert frames_of(file) == 12
    assert live.status.seconds == pytest.approx(41 / 25)
    live.close()


def test_too_little_space(tmp_path: Path) -> None:
    live = recording(tmp_path, free_bytes=10**18)
    with pytest.raises(RecordingError, match=r"MB are free, \d+ MB are wanted"):
        live.start()
    assert not live.active
    assert "are wanted" in live.status.problem
    assert list(tmp_path.iterdir()) == []
    live.close()


def test_a_folder_that_vanishes_ends_it_and_it_can_be_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    live = recording(folder, file_s=1.0)
    live.start()
    for number in range(5):
        live.add(pair(number))
    wait_until(lambda: live._frames_waiting == 0, what="the frames")
    folder.rename(tmp_path / "away")
    for number in range(5, 60):
        live.add(pair(number))
    wait_until(lambda: not live.active, what="the end of the recording")
    assert "No such file" in live.status.problem
    (tmp_path / "away").rename(folder)
    live.start()
    assert live.status.problem == ""
    for number in range(60, 70):
        live.add(pair(number))
    live.close()
    assert frames_of(Path(live.status.file)) == 10


def test_a_disk_that_is_gone_before_the_start_and_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    live = recording(folder)
    folder.rename(tmp_path / "away")
    with pytest.raises(RecordingError, match="bring its disk back"):
        live.start()
    assert not live.active
    assert "bring its disk back" in live.status.problem
    (tmp_path / "away").rename(folder)
    live.start()
    assert live.status.problem == ""
    live.close()


def test_a_file_that_was_begun_in_vain_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = recording(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(RollingFolder, "prune", _refuse)
        with pytest.raises(RecordingError, match="refused"):
            live.start()
    assert list(tmp_path.iterdir()) == []
    live.close()


def _refuse(folder: RollingFolder, writing: Collection[Path] = ()) -> list[Path]:
    raise RecordingError("refused")
