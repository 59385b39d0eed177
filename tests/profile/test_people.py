"""The people that are shipped can be named wherever a picture can."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from avatar_nodes.cli import main
from avatar_nodes.graph.graph import Graph
from avatar_nodes.profile import load_profile
from avatar_nodes.profile.people import UnknownPersonError, reference_file, shipped_people


def test_everybody_has_a_picture_of_their_own() -> None:
    people = shipped_people()
    assert len(people) >= 6
    assert len({person.seed for person in people}) == len(people)
    for person in people:
        assert person.seed >= 800_000_000, "of the test split: no model was trained on them"
        with Image.open(person.picture) as picture:
            assert picture.size == (512, 512)


def test_a_name_is_the_shipped_person_unless_there_is_such_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    person = shipped_people()[0]
    assert reference_file(person.name) == person.picture
    assert reference_file("mine.png") == tmp_path / "mine.png"
    (tmp_path / person.name).touch()
    assert reference_file(person.name) == tmp_path / person.name


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownPersonError, match=r"no file nobody, .* maya, "):
        reference_file("nobody")


def test_a_profile_and_a_graph_may_name_a_person(tmp_path: Path) -> None:
    person = shipped_people()[1]
    file = tmp_path / "mine.yaml"
    file.write_text(f"extends: tiny\nstream: {{reference: {person.name}}}\n")
    assert load_profile(file).stream.reference == str(person.picture)
    graph = Graph.from_profile(load_profile("tiny"), reference=person.name)
    assert graph.profile.stream.reference == str(person.picture)


def test_the_command_lists_them() -> None:
    done = CliRunner().invoke(main, ["people"])
    assert done.exit_code == 0
    for person in shipped_people():
        assert person.name in done.output and person.looks in done.output


def test_a_video_of_nobody_is_one_line(tmp_path: Path) -> None:
    sound = Path(__file__).resolve().parents[2] / "samples" / "speech.wav"
    command = ["render", "--reference", "nobody", "--audio", str(sound), "--out"]
    done = CliRunner().invoke(main, [*command, str(tmp_path / "o.mp4"), "--in-process"])
    assert done.exit_code == 1
    assert done.output.startswith("Error: reference: no file nobody")
    assert done.output.count("\n") == 1
