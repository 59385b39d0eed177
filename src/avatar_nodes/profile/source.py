"""A profile's YAML with the place of every key: `extends` followed, later values over earlier
ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from avatar_nodes.profile.problem import KeyPath, Problem, ProfileError, Said

_EXTENDS = "extends"
_DEEPEST = 16  # also ends an alias that contains itself
_YAML = (".yaml", ".yml")

# (name of a base profile, file that extends it) -> file of the base profile
LocateBase = Callable[[str, Path], Path]


@dataclass(frozen=True)
class Place:
    """Where a key stands."""

    file: Path
    line: int


@dataclass
class Source:
    """Plain YAML values, and the place of every key path."""

    values: dict[str, Any]
    places: dict[KeyPath, Place] = field(default_factory=dict)

    def place(self, path: KeyPath) -> Place | None:
        """Where `path` stands, or the nearest key above it that does."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.places:
                return self.places[path[:end]]
        return None


def locate_yaml(name: str, beside: Path, shipped: Path) -> Path:
    """The file that `name` means in the file `beside`: a bare word is a YAML file next to that, or
    one of the folder `shipped`; anything else is a path. The file need not be there."""
    if not is_bare_word(name):
        path = _expanded(name)
        return path if path.is_absolute() else beside.parent / path
    sibling = beside.parent / f"{name}.yaml"
    return sibling if is_file(sibling) else shipped / f"{name}.yaml"


def is_bare_word(name: str) -> bool:
    """Whether `name` is no path, but the name of something that is shipped."""
    path = Path(name)
    return path.suffix not in _YAML and len(path.parts) == 1


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have (too long, a zero) is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _expanded(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # nobody of that name has a home
        return Path(name)


def read_source(file: Path, locate: LocateBase) -> Source:
    """Read a profile file and those that it extends.

    Args:
        file: the profile's YAML file.
        locate: gives the file of a base profile from its name and the file that names it.

    Raises:
        ProfileError: a file is missing, is no YAML mapping, repeats a key, or extends itself.
    """
    return _read(file, locate, ())


def _read(file: Path, locate: LocateBase, below: tuple[Path, ...]) -> Source:
    root = _compose(file)
    source = Source({}, {(): Place(file, 1)})
    if root is None:
        return source
    problems: list[Problem] = []
    values = _construct(root, (), file, source.places, problems)
    if not isinstance(values, dict):
        problems.append(Problem((), "a mapping of sections", values, file, 1))
    if problems:
        raise ProfileError(problems)
    source.values = values
    return _extend(source, file, locate, (*below, file.resolve()))


def _extend(source: Source, file: Path, locate: LocateBase, chain: tuple[Path, ...]) -> Source:
    name = source.values.pop(_EXTENDS, None)
    place = source.places.pop((_EXTENDS,), None)
    if name is None:
        return source
    line = place.line if place else 1
    if not isinstance(name, str):
        raise ProfileError([Problem((_EXTENDS,), "the name of a profile", name, file, line)])
    base_file = locate(name, file)
    if not is_file(base_file):
        raise ProfileError([Problem((_EXTENDS,), "a profile that exists", name, file, line)])
    if base_file.resolve() in chain:
        raise ProfileError(
            [Problem((_EXTENDS,), "a profile that does not lead back here", name, file, line)]
        )
    base = _read(base_file, locate, chain)
    return _merge(base, source)


def _merge(base: Source, over: Source) -> Source:
    """Mappings are merged key by key; a list or a value of `over` takes the base's place whole."""
    places = dict(base.places)
    for path in _replaced(base.values, over.values, ()):
        places = {key: place for key, place in places.items() if key[: len(path)] != path}
    places.update(over.places)
    return Source(merge_values(base.values, over.values), places)


def merge_values(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over`, mappings merged and everything else replaced."""
    merged = dict(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge_values(merged[key], value)
        else:
            merged[key] = value
    return merged


def _replaced(base: Mapping[str, Any], over: Mapping[str, Any], at: KeyPath) -> list[KeyPath]:
    paths: list[KeyPath] = []
    for key in base.keys() & over.keys():
        if isinstance(base[key], Mapping) and isinstance(over[key], Mapping):
            paths += _replaced(base[key], over[key], (*at, key))
        else:
            paths.append((*at, key))
    return paths


def _compose(file: Path) -> yaml.Node | None:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ProfileError(
            [Problem((), "a readable profile file", Said(error.strerror or error), file)]
        ) from None
    except UnicodeDecodeError as error:
        raise ProfileError([Problem((), "UTF-8 text", Said(error.reason), file)]) from None
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
        return node
    except RecursionError:
        got = Said("too much")
        raise ProfileError([Problem((), "no deeper nesting", got, file, 1)]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        got = Said(getattr(error, "problem", None) or str(error).splitlines()[0])
        raise ProfileError([Problem((), "valid YAML", got, file, line)]) from None


def _construct(
    node: yaml.Node,
    path: KeyPath,
    file: Path,
    places: dict[KeyPath, Place],
    problems: list[Problem],
) -> Any:
    """Plain values of a YAML node; notes the line of every key and every repeated key."""
    if len(path) > _DEEPEST:
        problems.append(Problem(path[:2], "no deeper nesting", Said("too much"), file))
        return None
    if isinstance(node, yaml.MappingNode):
        values: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node, path, file, problems)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                problems.append(Problem(path, "keys that are words", key, file, line))
                continue
            if key in values:
                problems.append(
                    Problem((*path, key), "each key once", Said("it again"), file, line)
                )
            below = (*path, key)
            places[below] = Place(file, line)
            values[key] = _construct(value_node, below, file, places, problems)
        return values
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            entry = (*path, index)
            places[entry] = Place(file, item.start_mark.line + 1)
            items.append(_construct(item, entry, file, places, problems))
        return items
    return _scalar(node, path, file, problems)


def _scalar(node: yaml.Node, path: KeyPath, file: Path, problems: list[Problem]) -> Any:
    constructor = yaml.constructor.SafeConstructor()
    line = node.start_mark.line + 1
    try:
        return constructor.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError) as error:
        got = Said(getattr(error, "problem", None) or error)
        problems.append(Problem(path, "a plain YAML value", got, file, line))
        return None
