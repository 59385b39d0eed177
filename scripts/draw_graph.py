"""Renews what `avatar graph` has drawn into README.md and docs/architecture.md: everything between
`<!-- avatar graph ... -->` and `<!-- end -->`. Run it with the Python of .venv."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from avatar_nodes.cli import main

ROOT = Path(__file__).resolve().parent.parent
FILES = (ROOT / "README.md", ROOT / "docs" / "architecture.md")
_BLOCK = re.compile(r"<!-- avatar (graph[^\n]*) -->\n(.*?)<!-- end -->\n", re.DOTALL)


def redrawn(text: str) -> str:
    """`text` with every block as the command in its first line prints it now."""
    return _BLOCK.sub(lambda found: _block(found[1]), text)


def _block(command: str) -> str:
    done = CliRunner().invoke(main, command.split(), catch_exceptions=False)
    shown = done.output if "--table" in command else f"```mermaid\n{done.output}```\n"
    return f"<!-- avatar {command} -->\n{shown}<!-- end -->\n"


if __name__ == "__main__":
    for file in FILES:
        file.write_text(redrawn(file.read_text()))
