"""The people that are shipped: pictures that a profile and `--reference` call by their names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.profile.resources import share_path

_LIST = ("config", "people", "people.yaml")


class UnknownPersonError(ConfigurationError):
    """Neither a picture file nor a shipped person; one line that names those there are."""


@dataclass(frozen=True)
class Person:
    """Somebody whom the training's world draws; seed: from which it does."""

    name: str
    seed: int
    looks: str
    picture: Path


def shipped_people() -> list[Person]:
    """All that are shipped, in the order of their list.

    Raises:
        ResourceError: the list is missing.
    """
    file = share_path(*_LIST)
    listed = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [
        Person(name=name, picture=file.parent / f"{name}.jpg", **of) for name, of in listed.items()
    ]


def shipped_picture(name: str) -> Path | None:
    """The picture of the shipped person of that name; None if there is no such person."""
    return next((person.picture for person in shipped_people() if person.name == name), None)


def reference_file(named: str | Path) -> Path:
    """The absolute path of a picture file, or else of the picture of the shipped person so named.

    Raises:
        UnknownPersonError: a bare word that is neither.
    """
    path = Path(named).expanduser()
    if path.exists() or len(path.parts) != 1 or path.suffix:
        return path.absolute()
    picture = shipped_picture(str(named))
    if picture is None:
        known = ", ".join(person.name for person in shipped_people())
        raise UnknownPersonError(f"reference: no file {named}, and none of the people {known}")
    return picture
