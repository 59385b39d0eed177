"""The list of models: the shipped one is whole, and a wrong one is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from avatar_nodes.profile import profile_names
from avatar_nodes.store.catalogue import CatalogueError, Hub, load_catalogue

_DIGEST = "a" * 64
_FILE = f"{{name: a.bin, size: 3, sha256: {_DIGEST}}}"
_HUB = f"{{hub: owner/name, revision: {'a' * 40}, path: '{{name}}'}}"


def catalogue(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "models.yaml"
    path.write_text(text)
    return path


def test_the_shipped_one_names_models_with_licences_and_a_first_source() -> None:
    models = load_catalogue()
    assert {"whisper-base", "kokoro", "smart-turn"} <= set(models)
    for model in models.values():
        assert model.licence and model.purpose
        for choice in model.choices:
            for file in choice:
                official = any(isinstance(source, Hub) for source in file.sources)
                assert official or file.instead_of


def test_it_is_no_profile() -> None:
    assert "models" not in profile_names()


def test_the_model_s_sources_are_those_of_its_files(tmp_path: Path) -> None:
    text = f"m: {{purpose: p, licence: MIT, from: [{_HUB}], files: [{_FILE}]}}"
    (file,) = load_catalogue(catalogue(tmp_path, text))["m"].files
    assert list(file.sources) == [Hub(hub="owner/name", revision="a" * 40, path="a.bin")]


def test_files_that_take_another_s_place_are_one_choice(tmp_path: Path) -> None:
    other = f"{{name: b.bin, instead_of: a.bin, size: 4, sha256: {_DIGEST}}}"
    text = f"m: {{purpose: p, licence: MIT, from: [{_HUB}], files: [{_FILE}, {other}]}}"
    model = load_catalogue(catalogue(tmp_path, text))["m"]
    assert [[file.name for file in choice] for choice in model.choices] == [["a.bin", "b.bin"]]
    assert model.size == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "expected names"),
        ("m: 3", "expected a model"),
        ("'../m': {}", "expected a model"),
        (f"m: {{purpose: p, licence: MIT, files: [{_FILE}]}}", "from"),
        (f"m: {{purpose: p, licence: MIT, from: [{_HUB}], files: []}}", "files"),
        (
            f"m: {{purpose: p, licence: MIT, from: [{_HUB}],"
            f" files: [{{name: ../a, size: 3, sha256: {_DIGEST}}}]}}",
            "name",
        ),
        (
            f"m: {{purpose: p, licence: MIT, from: [{_HUB}],"
            " files: [{name: a, size: 3, sha256: abc}]}",
            "sha256",
        ),
        (
            "m: {purpose: p, licence: MIT, from: [{hub: a/b, revision: main, path: x}],"
            f" files: [{_FILE}]}}",
            "revision",
        ),
        ("m: {", "models.yaml"),
    ],
)
def test_a_wrong_one_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(CatalogueError, match=told) as refused:
        load_catalogue(catalogue(tmp_path, text))
    assert "\n" not in str(refused.value)


def test_edits_stand_in_order(tmp_path: Path) -> None:
    parts = (
        "{index: pip, parts: [{package: a==1, member: b}], edits: [{at: 5, remove: 3}, {at: 6}]}"
    )
    text = f"m: {{purpose: p, licence: MIT, from: [{parts}], files: [{_FILE}]}}"
    with pytest.raises(CatalogueError, match="behind the one before"):
        load_catalogue(catalogue(tmp_path, text))
