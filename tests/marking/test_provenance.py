"""Content credentials say who made a file, and whether it was changed afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.marked_pictures import scene

from avatar_nodes.cli import main
from avatar_nodes.marking.provenance import ProvenanceError, SigningIdentity, credentials_of
from avatar_nodes.recording.fragmented_mp4 import FragmentedMp4Writer

pytest.importorskip("c2pa", reason="no c2pa-python here")


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    path = tmp_path / "a.mp4"
    writer = FragmentedMp4Writer(path, width=256, height=256, fps=25, sample_rate=16000)
    for number, frame in enumerate(scene(30)):
        writer.write(number * 40_000_000, frame, frame[:0, 0, 0])
    writer.close()
    return path


def avatar(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_signed_with_a_self_made_certificate(video: Path, tmp_path: Path) -> None:
    assert credentials_of(video) is None
    for _ in range(2):
        done = avatar("sign", video)
        assert done.exit_code == 0, done.output
    found = credentials_of(video)
    assert found is not None
    assert (found.unchanged, found.trusted) == (True, False)
    assert found.signer == "avatar_nodes self-made"
    said = avatar("verify", video).output
    assert "C2PA       unchanged since signed by avatar_nodes self-made, who is not trusted" in said
    assert json.loads(avatar("verify", "--json", video).output)["credentials"]["unchanged"] is True
    key = tmp_path / "home" / "avatar_nodes" / "key.pem"
    assert key.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob("*.signed"))


def test_a_change_is_noticed(video: Path) -> None:
    avatar("sign", video)
    content = bytearray(video.read_bytes())
    place = content.rindex(b"mdat") + 500
    content[place] ^= 0xFF
    video.write_bytes(content)
    found = credentials_of(video)
    assert found is not None and not found.unchanged
    assert "CHANGED" in avatar("verify", video).output


def test_what_cannot_be_signed(video: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    failed = avatar("sign", text)
    assert (failed.exit_code, text.read_text()) == (1, "no video")
    assert len(failed.output.splitlines()) == 1
    assert avatar("sign", video, "--key", text).exit_code == 2
    before = video.read_bytes()
    failed = avatar("sign", video, "--key", text, "--certificate", text)
    assert (failed.exit_code, video.read_bytes()) == (1, before)
    with pytest.raises(ProvenanceError, match="No such file"):
        SigningIdentity.from_files(tmp_path / "none", text)
