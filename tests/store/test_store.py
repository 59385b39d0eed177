"""Model files come from a folder, the hub or packages, and only with the content that they name."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hub_server import hub_server

from avatar_nodes.store.catalogue import Catalogue, CatalogueError, Edit, Model
from avatar_nodes.store.sources import _edited
from avatar_nodes.store.store import ModelStore, StoreError

_REVISION = "a" * 40
_CONTENT = bytes(range(256)) * 4096


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entry(content: bytes, *sources: dict[str, Any], name: str = "a.bin", **more: Any) -> dict:
    file = {"name": name, "size": len(content), "sha256": digest(content), "from": list(sources)}
    return {**file, **more}


def hub(path: str = "a.bin") -> dict[str, Any]:
    return {"hub": "owner/name", "revision": _REVISION, "path": path}


def package(*parts: tuple[str, str], index: str = "pip", edits: Sequence[dict] = ()) -> dict:
    members = [{"package": package, "member": member} for package, member in parts]
    return {"index": index, "parts": members, "edits": list(edits)}


def catalogue(*files: dict[str, Any]) -> Catalogue:
    told = {"name": "m", "purpose": "p", "licence": "MIT", "files": files}
    return {"m": Model.model_validate(told)}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PyPI."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def write_wheel(folder: Path, name: str, members: dict[str, bytes]) -> None:
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for member, content in members.items():
            wheel.writestr(member, content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def test_a_file_of_the_operator_is_known_by_its_content(tmp_path: Path) -> None:
    folder = tmp_path / "usb" / "deep"
    folder.mkdir(parents=True)
    (folder / "other_name").write_bytes(_CONTENT)
    (folder / "same_size").write_bytes(bytes(len(_CONTENT)))
    store = ModelStore(
        catalogue(entry(_CONTENT, hub())), cache=tmp_path / "c", folder=tmp_path / "usb"
    )
    found = store.find("m")
    assert found is not None
    assert (found / "a.bin").read_bytes() == _CONTENT


def test_the_variable_names_that_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(_CONTENT)
    monkeypatch.setenv("AVATAR_MODELS", str(tmp_path))
    assert ModelStore(catalogue(entry(_CONTENT, hub())), cache=tmp_path / "c").find("m")


def test_the_user_s_cache_is_where_xdg_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("AVATAR_CACHE", raising=False)
    assert ModelStore({}).cache == tmp_path / "avatar_nodes" / "models"
    monkeypatch.setenv("AVATAR_CACHE", str(tmp_path / "own"))
    assert ModelStore({}).cache == tmp_path / "own" / "models"


@pytest.mark.usefixtures("offline")
def test_what_is_absent_is_said_with_the_remedy(tmp_path: Path) -> None:
    store = ModelStore(catalogue(entry(_CONTENT, hub())), cache=tmp_path)
    assert store.find("m") is None
    assert store.lack("m") == ("m is not on this machine (`avatar models fetch m` brings it, 1 MB)")
    with pytest.raises(StoreError, match="HF_HUB_OFFLINE"):
        store.fetch("m")
    with pytest.raises(CatalogueError, match="expected one of m"):
        store.find("other")


def test_members_of_wheels_make_up_a_file(tmp_path: Path, wheels: Path) -> None:
    write_wheel(wheels, "first", {"first/one": _CONTENT[:300_000], "first/__init__.py": b"1 / 0"})
    write_wheel(wheels, "second", {"second/two": _CONTENT[300_000:]})
    source = package(("first==1.0", "first/one"), ("second==1.0", "second/two"))
    store = ModelStore(catalogue(entry(_CONTENT, source)), cache=tmp_path / "c")
    told: list[tuple[str, int, int]] = []
    found = store.fetch("m", lambda *news: told.append(news))
    assert (found / "a.bin").read_bytes() == _CONTENT
    assert told[-1] == ("a.bin", len(_CONTENT), len(_CONTENT))
    assert store.find("m") == found
    assert not any((tmp_path / "c" / "under_way").iterdir())


def test_a_copy_with_other_bytes_in_places_is_made_the_published_file(
    tmp_path: Path, wheels: Path
) -> None:
    copy = b"12" + _CONTENT[:70_000] + b"more" + _CONTENT[70_000:]
    write_wheel(wheels, "first", {"first/one": copy})
    edits = [{"at": 0, "remove": 2}, {"at": 70_002, "remove": 4}]
    source = package(("first==1.0", "first/one"), edits=edits)
    store = ModelStore(catalogue(entry(_CONTENT, source)), cache=tmp_path / "c")
    assert (store.fetch("m") / "a.bin").read_bytes() == _CONTENT


@pytest.mark.parametrize(
    "copy", [bytes(len(_CONTENT)), _CONTENT + b"more", b""], ids=["other", "longer", "empty"]
)
def test_another_content_is_refused(tmp_path: Path, wheels: Path, copy: bytes) -> None:
    write_wheel(wheels, "first", {"first/one": copy})
    source = package(("first==1.0", "first/one"))
    store = ModelStore(catalogue(entry(_CONTENT, source)), cache=tmp_path / "c")
    with pytest.raises(StoreError, match=r"refused|longer"):
        store.fetch("m")
    assert store.find("m") is None


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (package(("absent==1.0", "x")), "absent"),
        (package(("first==1.0", "no/such")), "no no/such in it"),
        (package(("first==2.0", "first/one")), "first==2.0"),
    ],
)
def test_a_package_without_it_is_named(
    tmp_path: Path, wheels: Path, source: dict[str, Any], told: str
) -> None:
    write_wheel(wheels, "first", {"first/one": _CONTENT})
    store = ModelStore(catalogue(entry(_CONTENT, source)), cache=tmp_path / "c")
    with pytest.raises(StoreError, match=told) as refused:
        store.fetch("m")
    assert "\n" not in str(refused.value)


def test_a_tarball_of_npm_is_a_source_where_npm_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "voices-1.0.tgz", "w:gz") as tarball:
        member = tarfile.TarInfo("package/voices/a.bin")
        member.size = len(_CONTENT)
        tarball.addfile(member, BytesIO(_CONTENT))
    source = package(("voices==1.0", "package/voices/a.bin"), index="npm")
    store = ModelStore(catalogue(entry(_CONTENT, source)), cache=tmp_path / "c")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(StoreError, match="npm is missing"):
        store.fetch("m")
    (tmp_path / "bin").mkdir()
    client = tmp_path / "bin" / "npm"
    client.write_text(
        f"#!/bin/sh\n[ \"$1 $4\" = 'pack voices@1.0' ] && /bin/cp {tmp_path}/voices-1.0.tgz .\n"
    )
    client.chmod(0o755)
    assert (store.fetch("m") / "a.bin").read_bytes() == _CONTENT


def test_a_file_that_another_may_replace(tmp_path: Path, wheels: Path) -> None:
    other = b"another export"
    write_wheel(wheels, "first", {"first/b": other})
    files = [
        entry(_CONTENT, package(("absent==1.0", "x"))),
        entry(other, package(("first==1.0", "first/b")), instead_of="a.bin"),
    ]
    store = ModelStore(catalogue(*files), cache=tmp_path / "c")
    assert (store.fetch("m") / "a.bin").read_bytes() == other


def test_a_damaged_file_is_told_and_brought_anew(tmp_path: Path, wheels: Path) -> None:
    write_wheel(wheels, "first", {"first/one": _CONTENT})
    source = package(("first==1.0", "first/one"))
    store = ModelStore(catalogue(entry(_CONTENT, source)), cache=tmp_path / "c")
    file = (store.fetch("m") / "a.bin").resolve()
    assert store.verify("m") == {"a.bin": True}
    file.write_bytes(bytes(len(_CONTENT)))
    assert store.verify("m") == {"a.bin": False}
    store.fetch("m")
    assert store.verify("m") == {"a.bin": True}


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Path]:
    """A catalogue file for the command."""
    files = [entry(_CONTENT, hub("sub/a.bin"))]
    path = tmp_path / "models.yaml"
    told = {"m": {"purpose": "p", "licence": "MIT", "default": True, "files": files}}
    path.write_text(json.dumps(told))  # JSON is YAML
    yield path


def fetch(shelf: Path, url: str) -> subprocess.CompletedProcess[str]:
    """Fetch as a process of its own: the hub's client reads its address when it is imported."""
    program = (
        "import sys; from pathlib import Path\n"
        "from huggingface_hub import constants\n"
        "from avatar_nodes.store.catalogue import load_catalogue\n"
        "from avatar_nodes.store.store import ModelStore\n"
        "constants.DOWNLOAD_CHUNK_SIZE = 1 << 16\n"  # what it keeps of a download, at least
        "store = ModelStore(load_catalogue(Path(sys.argv[1])), cache=Path(sys.argv[2]))\n"
        "print(store.fetch('m', lambda *news: print(*news, file=sys.stderr)))\n"
    )
    env = {**os.environ, "HF_ENDPOINT": url, "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    return subprocess.run(
        [sys.executable, "-c", program, str(shelf), str(shelf.parent / "c")],
        env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_the_hub_gives_a_pinned_revision(shelf: Path) -> None:
    with hub_server({f"/owner/name/resolve/{_REVISION}/sub/a.bin": _CONTENT}) as server:
        done = fetch(shelf, server.url)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip(), "a.bin").read_bytes() == _CONTENT
    assert f"a.bin {len(_CONTENT)} {len(_CONTENT)}" in done.stderr


def test_a_download_that_broke_off_is_gone_on_with(shelf: Path) -> None:
    path = f"/owner/name/resolve/{_REVISION}/sub/a.bin"
    with hub_server({path: _CONTENT}, cut_after=600_000) as server:
        done = fetch(shelf, server.url)
        sent = list(server.sent)
    assert done.returncode == 0, done.stderr
    assert sent[0] == (path, 0)
    assert 0 < sent[-1][1] <= 600_000


def test_another_content_on_the_hub_is_refused(shelf: Path) -> None:
    path = f"/owner/name/resolve/{_REVISION}/sub/a.bin"
    with hub_server({path: bytes(len(_CONTENT))}) as server:
        done = fetch(shelf, server.url)
    assert done.returncode == 1
    assert "refused" in done.stderr


def test_a_hub_that_is_not_there_is_given_up_soon(shelf: Path) -> None:
    done = fetch(shelf, "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "the hub cannot be reached" in done.stderr


@given(st.binary(max_size=60), st.data())
def test_edits_do_not_depend_on_the_chunks(copy: bytes, data: st.DataObject) -> None:
    edits, wanted, place = [], b"", 0
    while place < len(copy) and data.draw(st.booleans()):
        at = data.draw(st.integers(place, len(copy)))
        remove = data.draw(st.integers(0, len(copy) - at))
        insert = data.draw(st.binary(max_size=3))
        edits.append(Edit(at=at, remove=remove, insert=insert.hex()))
        wanted += copy[place:at] + insert
        place = at + remove
    wanted += copy[place:]
    size = data.draw(st.integers(1, 7))
    chunks = (copy[first : first + size] for first in range(0, len(copy), size))
    assert b"".join(_edited(chunks, edits)) == wanted
