"""Reads `config/models.yaml`: the model files that the avatar can use, and their sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.profile.resources import share_path

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Pinned = Annotated[str, Field(pattern=r"^[A-Za-z0-9@][A-Za-z0-9@._/-]*==[A-Za-z0-9.+!_-]+$")]
_MEMBER = r"^[A-Za-z0-9_][A-Za-z0-9_./-]*$"


class CatalogueError(ConfigurationError):
    """A list of models that cannot be used, or a name that is not in it; one line."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hub(_Strict):
    """A file of a repository of the Hugging Face hub."""

    hub: str
    """`owner/name`."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    path: Annotated[str, Field(pattern=_MEMBER)]


class Part(_Strict):
    """A file inside a package."""

    package: Pinned
    member: Annotated[str, Field(pattern=_MEMBER)]


class Edit(_Strict):
    """Bytes that a copy has otherwise than the published file."""

    at: Annotated[int, Field(ge=0)]
    """Place in the copy [bytes]."""
    remove: Annotated[int, Field(ge=0)] = 0
    """How many bytes the published file lacks there."""
    insert: Annotated[str, Field(pattern=r"^([0-9a-f]{2})*$")] = ""
    """What it has there, in hexadecimal."""


class Packages(_Strict):
    """Members of packages, one after another, that make up the file."""

    index: Literal["pip", "npm"]
    parts: Annotated[Sequence[Part], Field(min_length=1)]
    edits: Sequence[Edit] = ()
    """In the order of their places."""

    @model_validator(mode="after")
    def _in_order(self) -> Packages:
        end = 0
        for edit in self.edits:
            if edit.at < end:
                raise ValueError(f"edit at {edit.at}: expected behind the one before it")
            end = edit.at + edit.remove
        return self


def _kind(source: Any) -> str:
    of_the_hub = isinstance(source, Hub) or (isinstance(source, dict) and "hub" in source)
    return "hub" if of_the_hub else "packages"


Source = Annotated[
    Annotated[Hub, Tag("hub")] | Annotated[Packages, Tag("packages")], Discriminator(_kind)
]


class ModelFile(_Strict):
    """A file of a model."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
    instead_of: str = ""
    """Name of the file whose place it takes where that one is not to be had."""
    size: Annotated[int, Field(gt=0)]
    """Bytes."""
    sha256: Digest
    seen: Literal["publisher", "copy"] = "publisher"
    """Where the digest was read: in the publisher's own record, or only off a copy."""
    sources: Annotated[Sequence[Source], Field(min_length=1, alias="from")]
    """Tried in this order."""


class Model(_Strict):
    """A model and its files."""

    name: str
    purpose: str
    licence: str
    default: bool = False
    """Fetched when no model is named."""
    files: Annotated[Sequence[ModelFile], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _common_sources(cls, entry: Any) -> Any:
        """`from` of the model is that of each file without one; `{name}` in it is the file's."""
        if isinstance(entry, dict) and "from" in entry:
            common = entry.pop("from")
            for file in entry.get("files") or ():
                file.setdefault("from", _named(common, str(file.get("name"))))
        return entry

    @property
    def choices(self) -> list[list[ModelFile]]:
        """One list for each file that is needed: any one of it will do, the first is preferred."""
        places: dict[str, list[ModelFile]] = {}
        for file in self.files:
            places.setdefault(file.instead_of or file.name, []).append(file)
        return list(places.values())

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(choice[0].size for choice in self.choices)


def _named(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _named(inner, name) for key, inner in value.items()}
    if isinstance(value, list):
        return [_named(inner, name) for inner in value]
    return value.replace("{name}", name) if isinstance(value, str) else value


Catalogue = dict[str, Model]


def load_catalogue(path: Path | None = None) -> Catalogue:
    """The models of a file, by name, in its order.

    Args:
        path: None: the shipped `config/models.yaml`.

    Raises:
        CatalogueError: the file cannot be read, or an entry is not as it has to be.
    """
    path = path or share_path("config", "models.yaml")
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise CatalogueError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(entries, dict):
        raise CatalogueError(f"{path}: expected names of models")
    catalogue = {}
    for name, entry in entries.items():
        if not isinstance(entry, dict) or not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", str(name)):
            raise CatalogueError(f"{path}: {name}: expected a model's name and its description")
        try:
            catalogue[str(name)] = Model.model_validate({**entry, "name": str(name)})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise CatalogueError(f"{path}: {name}: {where}: {first['msg']}") from error
    return catalogue
