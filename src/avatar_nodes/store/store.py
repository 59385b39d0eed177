"""Model files by content: finds them on this machine, or brings them; a wrong one is refused."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.store.catalogue import (
    Catalogue,
    CatalogueError,
    Model,
    ModelFile,
    load_catalogue,
)
from avatar_nodes.store.sources import OnProgress, SourceError, Sources

FOLDER_VARIABLE = "AVATAR_MODELS"
"""Environment variable with a folder of the operator; files in it are known by their content."""
CACHE_VARIABLE = "AVATAR_CACHE"
"""Environment variable with the folder of this program in the user's cache, if it is another."""
_CHUNK = 1 << 20


class StoreError(ConfigurationError):
    """A model that is not to be had; one line with the reason and what to do."""


class ModelStore:
    """Keeps the files of the catalogue's models in a cache, each once, under its digest.

    A file in the operator's folder is used where it lies, whatever it is called there.

    Args:
        catalogue: None: the shipped one.
        cache: None: `avatar_nodes/models` in the user's cache.
        folder: None: what AVATAR_MODELS names, if it does.
    """

    def __init__(
        self,
        catalogue: Catalogue | None = None,
        *,
        cache: Path | None = None,
        folder: Path | None = None,
    ) -> None:
        self.catalogue = load_catalogue() if catalogue is None else catalogue
        self.cache = cache or user_cache() / "models"
        named = os.environ.get(FOLDER_VARIABLE, "")
        self._folder = folder or (Path(named).expanduser() if named else None)

    def model(self, name: str) -> Model:
        """The catalogue's entry.

        Raises:
            CatalogueError: there is none.
        """
        if name not in self.catalogue:
            known = ", ".join(self.catalogue)
            raise CatalogueError(f"no model {name!r}: expected one of {known}")
        return self.catalogue[name]

    def find(self, name: str) -> Path | None:
        """A folder with the model's files under their names, if they are on this machine; nothing
        is downloaded."""
        model = self.model(name)
        chosen = [next(filter(self._have, choice), None) for choice in model.choices]
        files = [file for file in chosen if file is not None]
        return self._view(model, files) if len(files) == len(chosen) else None

    def lack(self, name: str) -> str:
        """One line: that the model is not here, and how to bring it."""
        size = self.model(name).size / 1e6
        return (
            f"{name} is not on this machine (`avatar models fetch {name}` brings it, {size:.0f} MB)"
        )

    def fetch(self, name: str, on_progress: OnProgress = lambda what, done, total: None) -> Path:
        """Bring the model unless it is here whole and undamaged; goes on where a run before was
        interrupted. Returns its folder, see `find`.

        Raises:
            StoreError: no source gives all its files; the reasons of each.
        """
        model = self.model(name)
        under_way = self.cache / "under_way" / model.name
        try:
            with self._alone():
                under_way.mkdir(parents=True, exist_ok=True)
                sources = Sources(under_way, on_progress)
                files = [self._bring(choice, sources) for choice in model.choices]
                sources.close()
                return self._view(model, files)
        except StoreError as error:
            raise StoreError(f"{name}: {error}") from None
        except OSError as error:
            raise StoreError(f"{self.cache}: {error}") from error

    def verify(self, name: str) -> dict[str, bool]:
        """Read the model's files that are here: whether each is what its digest says."""
        here = filter(self._have, self.model(name).files)
        return {file.name: _digest(self._place(file)) == file.sha256 for file in here}

    def _bring(self, choice: Sequence[ModelFile], sources: Sources) -> ModelFile:
        """One of the files that will do: here already, or brought."""
        reasons: list[str] = []
        for file in choice:
            if self._whole(file):
                return file
        for file in choice:
            if self._bring_file(file, sources, reasons):
                return file
        raise StoreError("; ".join(dict.fromkeys(reasons)))

    def _bring_file(self, file: ModelFile, sources: Sources, reasons: list[str]) -> bool:
        for source in file.sources:
            try:
                brought = sources.bring(file, source)
            except SourceError as error:
                reasons.append(str(error))
                continue
            if _digest(brought) == file.sha256:
                place = self._place(file)
                place.parent.mkdir(parents=True, exist_ok=True)
                brought.replace(place)
                return True
            brought.unlink()
            reasons.append(f"{file.name}: refused, another content than {file.sha256[:12]}...")
        return False

    def _place(self, file: ModelFile) -> Path:
        return self.cache / "files" / file.sha256

    def _have(self, file: ModelFile) -> bool:
        """Whether the file is here; its content was looked at when it came."""
        place = self._place(file)
        try:
            if place.stat().st_size == file.size:
                return True
        except OSError:
            pass
        return self._adopt(file)

    def _whole(self, file: ModelFile) -> bool:
        return self._have(file) and _digest(self._place(file)) == file.sha256

    def _adopt(self, file: ModelFile) -> bool:
        """Point to the file in the operator's folder that has its content, if there is one."""
        if self._folder is None:
            return False
        for path in self._folder.rglob("*"):
            same = path.is_file() and path.stat().st_size == file.size
            if same and _digest(path) == file.sha256:
                place = self._place(file)
                _point(place, path.resolve())
                return True
        return False

    def _view(self, model: Model, files: Sequence[ModelFile]) -> Path:
        """A folder with the files under their own names."""
        key = hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()
        view = self.cache / "models" / f"{model.name}-{key[:8]}"
        for file in files:
            link = view / file.name
            if not link.is_symlink() or link.readlink() != self._place(file):
                _point(link, self._place(file))
        return view

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time fetches; another one waits, and finds what was brought."""
        self.cache.mkdir(parents=True, exist_ok=True)
        with (self.cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _point(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f"{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)


def _digest(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


def user_cache() -> Path:
    if own := os.environ.get(CACHE_VARIABLE):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "avatar_nodes"
