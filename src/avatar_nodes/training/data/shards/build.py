"""Builds many shards in several processes: resumable shard by shard, with the time left."""

from __future__ import annotations

import json
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.training.data.shards.clips import ShardError


@dataclass(frozen=True)
class ShardJob(ABC):
    """The content of one shard, as a plain, picklable value that describes it completely."""

    name: str
    """Without suffix: split and number, e.g. 'train-00003'."""

    @abstractmethod
    def write(self, folder: Path) -> dict[str, Any]:
        """Write `folder/name.tar` and return what is to be reported, with its number of `clips`."""

    def report_path(self, folder: Path) -> Path:
        """The report beside the shard; it is written after it, so its presence means whole."""
        return folder / f"{self.name}.json"

    def is_done(self, folder: Path) -> bool:
        """Raises ShardError if the shard there was made for another job."""
        report, tar = self.report_path(folder), folder / f"{self.name}.tar"
        if not (report.exists() and tar.exists()):
            return False
        found, asked = json.loads(report.read_text())["job"], json.loads(json.dumps(asdict(self)))
        unstated = {  # in older reports
            "timing": asdict(BlockTiming()), "people_share": 0.0, "other_voice_share": 0.0,
        }  # fmt: skip
        found = {**unstated, **found}
        for key in asked:
            if found.get(key) != asked[key]:
                raise ShardError(
                    f"{tar} was made with {key} {found.get(key)!r}, not {asked[key]!r}: use "
                    "another run folder, or delete this one's shards"
                )
        return True


def build_shards(
    folder: Path,
    jobs: Sequence[ShardJob],
    *,
    processes: int,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Write the shards that are not there yet and return the reports of all, in the jobs' order.

    Raises ShardError when the folder holds shards of another plan, or a process dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    strays = {path.stem for path in folder.glob("*.tar")} - {job.name for job in jobs}
    if strays:
        raise ShardError(
            f"{folder / min(strays)}.tar is not of this plan: use another run folder, or delete it"
        )
    missing = [job for job in jobs if not job.is_done(folder)]
    if len(missing) < len(jobs):
        say(f"{len(jobs) - len(missing)} of {len(jobs)} shards are there already")
    if processes == 1:
        _build_here(folder, missing, say)
    elif missing:
        _build_in_processes(folder, missing, min(processes, len(missing)), say)
    return [json.loads(job.report_path(folder).read_text()) for job in jobs]


def _build_here(folder: Path, jobs: Sequence[ShardJob], say: Callable[[str], None]) -> None:
    start = time.monotonic()
    for count, job in enumerate(jobs, start=1):
        say(_progress(_build(job, folder), count, len(jobs), time.monotonic() - start))


def _build_in_processes(
    folder: Path, jobs: Sequence[ShardJob], processes: int, say: Callable[[str], None]
) -> None:
    start = time.monotonic()
    pool = ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_one_thread_each
    )
    try:
        with _interrupts_ignored():  # the processes that start here inherit it
            waiting = [pool.submit(_build, job, folder) for job in jobs]
        for count, future in enumerate(as_completed(waiting), start=1):
            say(_progress(future.result(), count, len(jobs), time.monotonic() - start))
    except KeyboardInterrupt:
        say("stopping when the shards being written are whole")
        raise
    except BrokenProcessPool as error:
        raise ShardError(
            "a process that was writing shards died; what is whole is kept: run the command again"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ctrl-C reaches every process, but only the first one decides what it means."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _one_thread_each() -> None:
    cv2.setNumThreads(1)


def _build(job: ShardJob, folder: Path) -> dict[str, Any]:
    """Write one shard and then its report."""
    report = {**job.write(folder), "name": job.name, "job": asdict(job)}
    path = job.report_path(folder)
    partial = path.with_suffix(".json.partial")
    partial.write_text(json.dumps(report, indent=1, sort_keys=True))
    partial.replace(path)
    return report


def _progress(report: dict[str, Any], count: int, total: int, elapsed: float) -> str:
    left = elapsed / count * (total - count)
    return (
        f"{report['name']}: {report['clips']} clips; shard {count} of {total}, "
        f"{left / 60:.1f} min left"
    )
