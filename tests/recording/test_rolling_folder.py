"""Recordings bear the time, and the oldest make room; nothing else in the folder is touched."""

from __future__ import annotations

import stat
from datetime import datetime, timezone
from pathlib import Path

import pytest

from avatar_nodes.recording.mp4_writer import RecordingError
from avatar_nodes.recording.rolling_folder import RollingFolder

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=timezone.utc)


def folder(path: Path, **limits: int) -> RollingFolder:
    return RollingFolder(path, name="/booth/avatar", **{"keep_bytes": 0, "keep_files": 0, **limits})


def put(path: Path, *names: str) -> None:
    for name in names:
        (path / name).write_bytes(bytes(100))


def test_names(tmp_path: Path) -> None:
    rolling = folder(tmp_path / "new" / "folder")
    assert rolling.new_name(NOON) == "booth_avatar_20260131T120000Z"
    put(rolling.path, "booth_avatar_20260131T120000Z.mp4")
    assert rolling.new_name(NOON) == "booth_avatar_20260131T120000Z_2"
    assert rolling.free_bytes() > 0


def test_the_oldest_make_room(tmp_path: Path) -> None:
    names = [f"booth_avatar_20260131T1200{second:02}Z.mp4" for second in range(5)]
    others = ["holiday.mp4", "avatar_20260131T120000Z.mp4", "booth_avatar_20260131T120000Z.txt"]
    put(tmp_path, *names, *others)
    assert [p.name for p in folder(tmp_path, keep_files=3).prune()] == names[:2]
    newest = tmp_path / names[4]
    assert [p.name for p in folder(tmp_path, keep_bytes=250).prune([newest])] == names[2:3]
    writing = tmp_path / names[3]
    assert [p.name for p in folder(tmp_path, keep_files=1).prune([writing])] == names[4:]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([names[3], *others])


def test_what_is_too_old_goes_and_is_told(tmp_path: Path) -> None:
    old = ["booth_avatar_20251231T115959Z.mcap", "booth_avatar_20251231T115959Z.mp4"]
    young = ["booth_avatar_20260101T120000Z.mp4", "booth_avatar_20260131T115900Z.mp4"]
    put(tmp_path, *old, *young, "holiday.mp4")
    told: list[tuple[str, str]] = []
    rolling = RollingFolder(
        tmp_path, name="/booth/avatar", keep_bytes=0, keep_files=0, keep_days=30.0,
        on_removed=lambda path, why: told.append((path.name, why)),
    )  # fmt: skip
    assert [path.name for path in rolling.prune([tmp_path / old[0]], now=NOON)] == old[1:]
    assert [path.name for path in rolling.prune(now=NOON)] == old[:1]
    assert told == [(name, "older than 30 days") for name in (old[1], old[0])]
    assert rolling.prune(now=NOON) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [*young, "holiday.mp4"]


def test_a_new_folder_is_private_and_one_that_is_there_stays(tmp_path: Path) -> None:
    new = folder(tmp_path / "new" / "folder").path
    assert [stat.S_IMODE(each.stat().st_mode) for each in (new, new.parent)] == [0o700, 0o700]
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    folder(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755


def test_files_of_the_same_second_keep_their_order(tmp_path: Path) -> None:
    stem = "booth_avatar_20260131T120000Z"
    put(tmp_path, f"{stem}_10.mp4", f"{stem}_2.mp4", f"{stem}.mcap", f"{stem}.mp4")
    found = [path.name for path in folder(tmp_path).recordings()]
    assert found == [f"{stem}.mcap", f"{stem}.mp4", f"{stem}_2.mp4", f"{stem}_10.mp4"]


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    put(tmp_path, "file")
    with pytest.raises(RecordingError, match="file"):
        folder(tmp_path / "file")


def test_a_folder_that_goes_away(tmp_path: Path) -> None:
    rolling = folder(tmp_path / "disk", keep_files=1)
    rolling.path.rmdir()
    for use in (rolling.free_bytes, rolling.recordings, rolling.prune, rolling.new_name):
        with pytest.raises(RecordingError, match=r"disk: No such .*bring its disk back"):
            use()
