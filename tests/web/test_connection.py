"""The page's connection in Node, the browser's own parts imitated: quick, and without a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import avatar_nodes.web

_STATIC = Path(avatar_nodes.web.__file__).parent / "static"
_PAGE = Path(__file__).parents[1] / "support" / "page_in_node.mjs"


def _told(folder: Path) -> Any:
    """What page_in_node.mjs reports; skips the test where there is no Node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node here: apt install nodejs")
    script = (_STATIC / "connection.js").read_text()
    own = script.replace('import { SocketPlayer } from "/static/socket_player.js";', "")
    (folder / "connection.mjs").write_text(own)
    command = [node, _PAGE, (folder / "connection.mjs").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_where_webrtc_finds_no_way_the_microphone_goes_off_and_on_again(tmp_path: Path) -> None:
    told = _told(tmp_path)
    assert told["media"] == "socket"
    assert told["wishes"] == [True, False, True], told["error"]
    assert told["microphone"] == [True, False, True]
    assert not told["error"]
