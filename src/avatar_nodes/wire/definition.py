"""The text of a message type with all types it is made of, as MCAP's `ros2msg` schemas have it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from avatar_nodes.errors.refused_error import RefusedError

_RULE = "=" * 80
_FIELD = re.compile(r"^\s*([A-Za-z][\w/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[A-Za-z]\w*(?:\s|=|$)")
_BUILT_IN = {
    "bool", "byte", "char", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32",
    "uint32", "int64", "uint64", "string", "wstring",
}  # fmt: skip


@cache
def definition_of(kind: str) -> str:
    """The definition of `std_msgs/msg/Header`, then those of its parts after rules of `=`.

    Raises:
        RefusedError: `definition`: the type's package is not here, or has no such message.
    """
    package, name = _split(kind)
    text = _text(package, name)
    parts = [text]
    seen, waiting = {(package, name)}, _parts(text, package)
    while waiting:
        part = waiting.pop(0)
        if part in seen:
            continue
        seen.add(part)
        text = _text(*part)
        parts.append(f"{_RULE}\nMSG: {part[0]}/{part[1]}\n{text}")
        waiting += _parts(text, part[0])
    return "\n".join(parts)


def _split(kind: str) -> tuple[str, str]:
    names = kind.split("/")
    return names[0], names[-1]


def _text(package: str, name: str) -> str:
    try:
        file = Path(get_package_share_directory(package), "msg", f"{name}.msg")
        return file.read_text(encoding="utf-8")
    except (PackageNotFoundError, OSError) as error:
        raise RefusedError("definition", f"{package}/{name} is not known here: {error}") from None


def _parts(text: str, package: str) -> list[tuple[str, str]]:
    """The types of a definition's fields that are messages themselves."""
    found = []
    for line in text.splitlines():
        field = _FIELD.match(line.partition("#")[0])
        if field is not None and field[1] not in _BUILT_IN:
            owner, slash, name = field[1].rpartition("/")
            found.append((owner.removesuffix("/msg") if slash else package, name))
    return found
