#!/usr/bin/env python3
"""Lock requirements/*.txt: every package that they bring, in one version, with its files' hashes.

    python3 scripts/lock_requirements.py        # with uv on PATH

Writes requirements/locked/: `build.txt` is installed first, since one package is built from source;
`base.txt` holds what `make setup LOCKED=1` installs besides, `extras.txt` what the tests, training
and large models need on top. Versions that are locked already stay, as long as the lists allow
them; remove a line, or the file, to take the newest. Standard library only.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
LOCKED = REQUIREMENTS / "locked"
BASE = ("ros", "runtime")
EXTRAS = ("test", "training", "chat", "large")
BUILT_FROM_SOURCE = "empy"
BUILD = ("setuptools",)
HEADER = "# Made by scripts/lock_requirements.py of the lists beside this folder; do not edit.\n"

Blocks = dict[str, str]
"""`name==version ; marker` -> its lines, hashes included."""


def blocks_of(text: str) -> Blocks:
    """The requirements of a locked file."""
    found = re.findall(r"^[A-Za-z0-9].*(?:\n +--hash=.*)+\n?", text, re.MULTILINE)
    return {block.split("\\")[0].strip(): block.rstrip("\n") + "\n" for block in found}


def compile_lists(names: tuple[str, ...], known: Blocks) -> Blocks:
    """What the lists bring; of packages in `known` the versions there."""
    before = LOCKED / "before.tmp"
    before.write_text("".join(known.values()))
    command = ["uv", "pip", "compile", "--quiet", "--no-config", "--universal"]
    command += ["--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header"]
    command += ["--only-binary", ":all:", "--no-binary", BUILT_FROM_SOURCE]
    command += ["--output-file", str(before), *(str(REQUIREMENTS / f"{n}.txt") for n in names)]
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return blocks_of(before.read_text())
    finally:
        before.unlink()


def write(name: str, blocks: Blocks) -> None:
    (LOCKED / f"{name}.txt").write_text(HEADER + "".join(blocks.values()))


def main() -> int:
    LOCKED.mkdir(exist_ok=True)
    known: Blocks = {}
    for path in sorted(LOCKED.glob("*.txt")):
        known |= blocks_of(path.read_text())
    everything = compile_lists(BASE + EXTRAS, known)
    base = compile_lists(BASE, everything)
    if not base.items() <= everything.items():
        print("lock: the extras bring other versions of what the base has", file=sys.stderr)
        return 1
    write("build", {key: text for key, text in base.items() if key.split("==")[0] in BUILD})
    write("base", base)
    write("extras", {key: text for key, text in everything.items() if key not in base})
    return 0


if __name__ == "__main__":
    sys.exit(main())
