"""Prepares a folder of real talking-head videos into the same shards as the tiny world."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.training.data.shards.build import ShardJob, build_shards
from avatar_nodes.training.data.shards.clips import SPLITS, ClipRecord, write_shard
from avatar_nodes.training.data.videos.checks import (
    Box,
    SyncCheck,
    check_face,
    face_finder,
    mouth_of,
)
from avatar_nodes.training.data.videos.files import VideoError, probe, read_frames, read_sound
from avatar_nodes.training.data.videos.scenes import find_scenes, scene_tool

SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".ts")
NO_SYNCNET = "skipped: no SyncNet weights were given (--syncnet)"
_SILENCE = 1e-3
"""A window whose sound is nowhere louder is silent."""


@dataclass(frozen=True)
class VideoData:
    """Settings for preparing real videos; Live Avatar trains on clips longer than 10 s."""

    width: int = 256
    height: int = 256
    min_seconds: float = 10.0
    """Scenes that are not longer are left out."""
    blocks: int = 12
    """Length in blocks of the windows that scenes are cut into; the remainder is dropped."""
    prompt: str = "A person talks to the viewer."
    """For videos without a .txt of the same name beside them."""
    val_percent: int = 5
    test_percent: int = 5
    files_per_shard: int = 8

    def __post_init__(self) -> None:
        if self.width % 16 or self.height % 16 or min(self.width, self.height) < 16:
            raise ValueError(f"size {self.width}x{self.height} is not in steps of 16 pixels")
        if self.blocks < 1 or self.files_per_shard < 1 or self.min_seconds <= 0:
            raise ValueError("blocks, files_per_shard and min_seconds must be positive")
        if not 0 <= self.val_percent + self.test_percent < 100:
            raise ValueError("val_percent and test_percent must leave something to train on")

    def jobs(
        self, folder: Path, timing: BlockTiming, syncnet: Path | None = None
    ) -> list[VideoShard]:
        """Every shard of every split; a file, and so a person, is in one split only.

        Raises FileNotFoundError when the folder holds no video.
        """
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        if not paths:
            raise FileNotFoundError(f"{folder}: no videos ({', '.join(SUFFIXES)})")
        files = [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in paths]
        jobs = []
        for split in SPLITS:
            of_split = [f for f in files if self.split_of(f[0]) == split]
            for number, first in enumerate(range(0, len(of_split), self.files_per_shard)):
                jobs.append(
                    VideoShard(
                        name=f"{split}-{number:05d}",
                        split=split,
                        folder=str(folder),
                        files=tuple(of_split[first : first + self.files_per_shard]),
                        options=self,
                        timing=timing,
                        syncnet=None if syncnet is None else str(syncnet),
                    )
                )
        return jobs

    def split_of(self, name: str) -> str:
        """The split, by a hash of the file's name: it does not depend on other files."""
        place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 100
        if place < self.val_percent:
            return "val"
        return "test" if place < self.val_percent + self.test_percent else "train"


@dataclass(frozen=True)
class VideoShard(ShardJob):
    """The usable windows of some files; `files` holds (name within the folder, bytes)."""

    split: str
    folder: str
    files: tuple[tuple[str, int], ...]
    options: VideoData
    timing: BlockTiming
    syncnet: str | None

    def write(self, folder: Path) -> dict[str, Any]:
        syncnet = None if self.syncnet is None else Path(self.syncnet)
        preparer = Preparer(
            self.options, self.timing, self.split, self.name.replace("-", "_"), syncnet
        )
        clips = preparer.clips(Path(self.folder), [name for name, _ in self.files])
        count = write_shard(folder / f"{self.name}.tar", clips)
        return {
            "clips": count,
            "seconds": count * preparer.window_s,
            "rejected": preparer.rejected,
            "checks": preparer.checks,
        }


class Preparer:
    """Turns files into clips and lists what it leaves out, and why."""

    def __init__(
        self, options: VideoData, timing: BlockTiming, split: str, key: str,
        syncnet: Path | None = None,
    ) -> None:  # fmt: skip
        """Keys of clips begin with `key`. Raises JudgeError for weights that are not SyncNet's."""
        self.options = options
        self.timing = timing
        self.window_s = options.blocks * timing.block_s
        """Length of a clip in seconds."""
        self.split = split
        self.rejected: list[dict[str, Any]] = []
        self._key = key
        self._count = 0
        self._find, faces = face_finder()
        self._sync = SyncCheck.load(syncnet) if syncnet is not None and self._find else None
        sync = NO_SYNCNET if syncnet is None else "public SyncNet"
        if syncnet is not None and self._find is None:
            sync = "skipped: it needs to know where faces are"
        self.checks = {"scenes": scene_tool(), "faces": faces, "sync": sync}

    def clips(self, folder: Path, names: Sequence[str]) -> Iterator[ClipRecord]:
        """The clips of some files; a bad file is listed in `rejected` and never fatal."""
        for name in names:
            try:
                yield from self._of_file(folder / name, name)
            except (ValueError, OSError, av.FFmpegError, cv2.error) as error:
                self._reject(name, str(error).partition("\n")[0])

    def _of_file(self, path: Path, name: str) -> Iterator[ClipRecord]:
        """Every usable window of every long scene of one file."""
        options, info = self.options, probe(path)
        if min(info.width / options.width, info.height / options.height) < 0.5:
            raise VideoError("picture too small")
        sound, prompt = read_sound(path, self.timing.sample_rate), self._prompt(path)
        for start, end in find_scenes(path, info.duration_s):
            if end - start <= options.min_seconds:
                self._reject(name, "scene too short", start, end)
                continue
            for place in range(int((end - start + 1e-6) / self.window_s)):
                at = start + place * self.window_s
                try:
                    clip = self._window(path, name, at, sound, prompt)
                except VideoError as error:
                    self._reject(name, str(error), at, at + self.window_s)
                else:
                    yield clip

    def _window(
        self, path: Path, name: str, at: float, sound: np.ndarray, prompt: str
    ) -> ClipRecord:
        """The window that begins `at` seconds. Raises VideoError saying why it is not usable."""
        options, timing = self.options, self.timing
        count, size = options.blocks * timing.frames_per_block, (options.width, options.height)
        first, length = round(at * timing.sample_rate), options.blocks * timing.samples_per_block
        samples = sound[first : first + length]
        pictures = list(read_frames(path, at, count, size, timing.frame_rate))
        if len(pictures) < count or len(samples) < length:
            raise VideoError("picture or sound ends early")
        if np.abs(samples).max() < _SILENCE:
            raise VideoError("silent")
        frames = np.stack(pictures)
        mouth = self._checked(frames, samples)
        about = {
            "source": "video", "split": self.split, "identity": name, "start_s": round(at, 3),
            "actions": [], "object": None,
        }  # fmt: skip
        truth = {"mouth": np.tile(np.array(mouth, np.int16), (count, 1)), "reference": frames[0]}
        key = f"{self._key}_{self._count:04d}"
        self._count += 1
        return ClipRecord(
            key, size, frames, samples, (prompt,) * options.blocks, about, truth, timing
        )

    def _checked(self, frames: np.ndarray, samples: np.ndarray) -> Box:
        """The mouth's box (all 0 if no tool tells). Raises VideoError if face or sync are wrong."""
        if self._find is None:
            return (0, 0, 0, 0)
        verdict = check_face(frames, self._find)
        if verdict.face is None:
            raise VideoError(verdict.reason)
        problem = self._sync(frames, samples, verdict.face, self.timing) if self._sync else ""
        if problem:
            raise VideoError(problem)
        return mouth_of(verdict.face)

    def _prompt(self, path: Path) -> str:
        """The words of NAME.txt beside NAME.mp4, or the default."""
        sidecar = path.with_suffix(".txt")
        if not sidecar.is_file():
            return self.options.prompt
        try:
            return " ".join(sidecar.read_text(encoding="utf-8").split()) or self.options.prompt
        except UnicodeDecodeError as error:
            raise VideoError("prompt file is not UTF-8") from error

    def _reject(
        self, name: str, reason: str, start: float | None = None, end: float | None = None
    ) -> None:
        entry: dict[str, Any] = {"file": name, "reason": reason}
        if start is not None and end is not None:
            entry |= {"start_s": round(start, 3), "end_s": round(end, 3)}
        self.rejected.append(entry)


def write_videos(
    options: VideoData,
    videos: Path,
    folder: Path,
    *,
    timing: BlockTiming | None = None,
    syncnet: Path | None = None,
    processes: int = 1,
    say: Callable[[str], None] = print,
) -> list[str]:
    """Write the shards of a folder of videos, and `report.json` beside them; returns its lines.

    Raises FileNotFoundError without videos, JudgeError for wrong SyncNet weights, ShardError.
    """
    if syncnet is not None:
        SyncCheck.load(syncnet)  # complains here rather than in every process
    jobs = options.jobs(videos, timing or BlockTiming(), syncnet)
    report = summarise(build_shards(folder, jobs, processes=processes, say=say))
    path = folder / "report.json"
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False))
    kept = ", ".join(f"{count} {split}" for split, count in report["clips"].items())
    return [
        *(f"{what}: {tool}" for what, tool in report["checks"].items()),
        f"{report['files']} files: {kept} clips, {report['seconds_kept']:.0f} s",
        *(f"rejected, {why}: {n}" for why, n in report["rejected_by_reason"].items()),
        f"report: {path}",
    ]


def summarise(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One report of all shards: what was kept, what was rejected and why, what was checked."""
    clips: Counter[str] = Counter()
    for report in reports:
        clips[report["job"]["split"]] += report["clips"]
    rejected = [entry for report in reports for entry in report["rejected"]]
    reasons = Counter(entry["reason"].partition(":")[0] for entry in rejected)
    return {
        "files": sum(len(report["job"]["files"]) for report in reports),
        "clips": {split: clips[split] for split in SPLITS},
        "seconds_kept": round(sum(report["seconds"] for report in reports), 2),
        "rejected_by_reason": dict(reasons.most_common()),
        "checks": reports[0]["checks"] if reports else {},
        "rejected": rejected,
    }
