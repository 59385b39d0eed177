"""Personas: what is read, and what is said about what is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from avatar_nodes.mind.persona_file import PersonaError, load_listed, load_persona, persona_names
from avatar_nodes.world.motion import ACTIONS
from avatar_nodes.world.objects import COLOURS, KINDS, Thing
from avatar_nodes.world.prompts import prompts

MINE = """\
name: Bo
about: A test.
states: {idle: i, listening: l, thinking: t, speaking: s}
actions:
  - {name: wave, prompt: waves}
fallback: {unknown: [sorry], pardon: [what], trouble: [oh]}
intents:
  - {name: a, examples: [hello], replies: [hi], action: wave}
  - {name: b, examples: [bye], replies: [bye]}
"""


def write(folder: Path, text: str, name: str = "mine") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def errors(folder: Path, text: str) -> list[str]:
    with pytest.raises(PersonaError) as caught:
        load_persona(write(folder, text))
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_the_shipped_persona_is_complete() -> None:
    assert persona_names() == ["default", "guide"]
    persona = load_persona("default")
    assert len(persona.intents) >= 20
    for intent in persona.intents:
        assert len(intent.examples) >= 5
        for text in intent.examples:
            assert re.fullmatch(r"[a-z' ]+", text), f"not as a recogniser writes: {text!r}"
    gestures = {intent.action for intent in persona.intents}
    assert gestures >= {"wave", "nod", "shake", "point", "shrug", "thumb", "lean", "smile"}


@pytest.mark.parametrize("name", persona_names())
def test_a_shipped_persona_asks_for_what_the_model_was_taught(name: str) -> None:
    persona = load_persona(name)
    taught = {text for action in ACTIONS for text in prompts(action)}
    for kind in KINDS:
        for colour in COLOURS:
            taught.update(prompts("show", thing=Thing(kind, colour)))
    states = persona.states
    wanted = [states.idle, states.listening, states.thinking, states.speaking]
    for prompt in [*wanted, *(action.prompt for action in persona.actions)]:
        assert prompt in taught


@pytest.mark.parametrize("name", persona_names())
def test_a_shipped_persona_looks_different_in_every_state(name: str) -> None:
    states = load_persona(name).states
    assert len({states.idle, states.listening, states.thinking, states.speaking}) == 4


def test_a_persona_of_one_s_own(tmp_path: Path) -> None:
    persona = load_persona(write(tmp_path, MINE))
    assert persona.intent("a").replies == ["hi"]
    wave = persona.action("wave")
    assert wave is not None
    assert (wave.prompt, wave.seconds) == ("waves", 0.0)
    assert persona.action("") is None


def test_extends(tmp_path: Path) -> None:
    file = write(tmp_path, "extends: default\nname: Cleo\nmatching: {margin: 0.1}\n")
    persona, base = load_persona(file), load_persona("default")
    assert (persona.name, persona.matching.margin) == ("Cleo", 0.1)
    assert persona.intents == base.intents


def test_each_problem_has_its_line(tmp_path: Path) -> None:
    assert errors(
        tmp_path,
        "extends: default\n"
        "nmae: Cleo\n"
        "states: {idle: ''}\n"
        "matching: {threshold: 2}\n"
        "intents:\n"
        "  - {name: a, examples: [x], replies: ['it is {tiem}']}\n"
        "  - {name: b b, examples: [], replies: [y], acton: wave}\n",
    ) == [
        "mine.yaml:2: nmae: expected name, got an unknown key",
        "mine.yaml:3: states.idle: expected a text that is not empty, got ''",
        "mine.yaml:4: matching.threshold: expected a number not above 1.0, got 2",
        "mine.yaml:6: intents[0].replies: expected {name}, {time}, {date}, {weekday},"
        " {part_of_day}, {last_reply}, {utterance} in braces, got 'it is {tiem}'",
        "mine.yaml:7: intents[1].name: expected a text that matches ^[A-Za-z][A-Za-z0-9_]*$, got"
        " 'b b'",
        "mine.yaml:7: intents[1].examples: expected at least 1 entries, got []",
        "mine.yaml:7: intents[1].acton: expected action, got an unknown key",
    ]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "replies: [hi], action: wave",
            "replies: [hi], action: wvae",
            "mine.yaml:8: intents[0].action: expected one of wave, got 'wvae'",
        ),
        ("name: b, examples: [bye]", "name: a, examples: [bye]", "mine.yaml:7: intents: "),
        ("examples: [bye]", "examples: [hello]", "mine.yaml:7: intents: expected each example"),
        ("name: Bo", "name: true", "mine.yaml:1: name: expected a text, got True"),
        ("name: Bo", "name: Bo\nname: Bo", "mine.yaml:2: name: expected each key once"),
        ("replies: [bye]", "replies: ['{time']", "mine.yaml:9: intents[1].replies: expected"),
        ("intents:\n", "intents: 5\nx:\n", "mine.yaml:7: intents: expected a list, got 5"),
        (MINE, "", "mine.yaml:1: name: expected a value, got nothing"),
        (MINE, "[1]", "mine.yaml:1: persona: expected a mapping"),
        (MINE, "a: [", "mine.yaml:"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert errors(tmp_path, MINE.replace(old, new))[0].startswith(line)


def test_no_such_persona() -> None:
    with pytest.raises(
        PersonaError, match="expected a persona file or one of default, guide, got 'nob"
    ):
        load_persona("nobody")


PIECES = st.sampled_from(
    [*"[]{}:,-&*!|>?%@`\"'#~", "\n", "  ", "name", "about", "language", "intents", "replies", "<<",
     "extends: default\n", "\\ud800", "\\0", "{name}", "!!binary ", "&a", "*a", "- ", "? "]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=6), max_size=12).map("".join) | st.binary(max_size=40))
@example("extends: default\nname: " + "[" * 5000)
@example("- " * 3000)
@example('extends: "\\0"')
@example("extends: " + "x" * 5000)
@example('extends: default\nlanguage: "\\ud800"')
@example('extends: default\nname: "a\\0b"')
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_file_is_a_persona_or_refused(tmp_path: Path, text: str | bytes) -> None:
    file = tmp_path / "any.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    _is_persona_or_refused(str(file))


@given(st.text(st.characters(), max_size=20))
@example("x" * 5000)
@example("a\0b.yaml")
@example("~no-such-user/mine.yaml")
def test_any_name_is_a_persona_s_or_refused(name: str) -> None:
    _is_persona_or_refused(name)


def _is_persona_or_refused(name: str) -> None:
    try:
        persona = load_persona(name)
    except PersonaError as error:
        str(error).encode()
    else:
        json.dumps(persona.model_dump(), ensure_ascii=False).encode()
        assert "\0" not in persona.name


def test_strangers_name_what_is_listed(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("extends: default\nname: Own\n")
    (tmp_path / "other.yaml").write_text("extends: default\nname: Other\n")
    assert load_listed("other", str(own)).name == "Other"
    assert load_listed("own", str(own)).name == load_listed(str(own), str(own)).name == "Own"
    assert load_listed("guide", str(own)).name == load_listed("guide", "default").name == "Max"
    others = (
        "/etc/shadow",
        "../own.yaml",
        "other.yaml",
        str(tmp_path / "other.yaml"),
        "",
        "x" * 999,
    )
    for name in others:
        with pytest.raises(PersonaError, match="expected one of default, ") as error:
            load_listed(name, str(own))
        assert not any(problem.file for problem in error.value.problems)
    with pytest.raises(PersonaError, match="expected one of"):
        load_listed("other", "default")
