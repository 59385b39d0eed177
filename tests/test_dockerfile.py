"""The image is built of what is there, and runs a command that there is; none is built here."""

from __future__ import annotations

import fnmatch
import json
import re
from pathlib import Path

from avatar_nodes.cli import main

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def _copied() -> list[str]:
    lines = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line]
    for source in _copied():
        assert (ROOT / source).exists(), source
        assert not any(fnmatch.fnmatch(source, pattern) for pattern in ignored), source


def test_all_that_the_package_shares_is_copied() -> None:
    (tops,) = re.findall(r"for top in \((.*)\):", (ROOT / "setup.py").read_text())
    assert {top.split("/")[0] for top in re.findall(r'"([^"]+)"', tops)} <= set(_copied())


def test_its_command_is_one_of_ours() -> None:
    for text in re.findall(r"(?:^| )CMD (\[.*\])$", DOCKERFILE, re.MULTILINE):
        name, *options = [word for word in json.loads(text) if word != "avatar"]
        command = main.get_command(
            main.make_context("avatar", ["--help"], resilient_parsing=True), name
        )
        assert command is not None, name
        command.make_context(name, list(options), resilient_parsing=False)
