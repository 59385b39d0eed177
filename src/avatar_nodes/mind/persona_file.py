"""Reads a persona: finds its file, follows `extends`, validates, and says what is wrong where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.mind.persona import Persona
from avatar_nodes.profile.explain import explain
from avatar_nodes.profile.problem import KeyPath, Problem, ProfileError
from avatar_nodes.profile.resources import share_directory
from avatar_nodes.profile.source import Source, is_bare_word, is_file, locate_yaml, read_source

_WHOLE: KeyPath = ("persona",)


class PersonaError(ConfigurationError):
    """A persona that cannot be used; one line for each problem: file, line, key, what was expected
    and what was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(
            problem if problem.path else replace(problem, path=_WHOLE) for problem in problems
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


def load_persona(name: str | Path) -> Persona:
    """The persona of that name (`default`: the package's `config/persona/default.yaml`) or of that
    YAML file.

    Raises:
        PersonaError: see there.
    """
    file = _locate(str(name), Path.cwd() / "here")
    if not is_file(file):
        known = ", ".join(persona_names())
        raise PersonaError([Problem((), f"a persona file or one of {known}", str(name))])
    try:
        source = read_source(file, _locate)
        return _validate(source)
    except ProfileError as error:
        raise PersonaError(error.problems) from None


def load_listed(name: str, own: str) -> Persona:
    """The persona that a stranger may mean by `name`: the avatar's `own` (a name or a file), the
    name of a shipped one, or that of a file beside `own`.

    Raises:
        PersonaError: any other; see there.
    """
    listed = {known: known for known in persona_names()}
    if not is_bare_word(own):
        beside = _locate(own, Path.cwd() / "here").parent.glob("*.yaml")
        listed |= {file.stem: str(file) for file in beside}
    if name != own and name not in listed:
        raise PersonaError([Problem((), f"one of {', '.join(sorted(listed))}", name)])
    return load_persona(listed.get(name, own))


def persona_names() -> list[str]:
    """Names of the personas that the package ships."""
    return sorted(file.stem for file in _folder().glob("*.yaml"))


def _folder() -> Path:
    return share_directory() / "config" / "persona"


def _locate(name: str, beside: Path) -> Path:
    return locate_yaml(name, beside, _folder())


def _validate(source: Source) -> Persona:
    try:
        persona = Persona.model_validate(source.values)
    except ValidationError as error:
        problems = [explain(detail, Persona) for detail in error.errors(include_url=False)]
    else:
        problems = _unknown_actions(persona)
        if not problems:
            return persona
    placed = [_placed(problem, source) for problem in problems]
    raise ProfileError(sorted(placed, key=lambda problem: (str(problem.file), problem.line or 0)))


def _unknown_actions(persona: Persona) -> list[Problem]:
    """Gestures that are named but not there."""
    known = {action.name for action in persona.actions}
    named: list[tuple[KeyPath, str]] = [(("fallback", "action"), persona.fallback.action)]
    for index, intent in enumerate(persona.intents):
        named.append((("intents", index, "action"), intent.action))
        named.append((("intents", index, "after"), intent.after))
    wanted = f"one of {', '.join(sorted(known))}"
    return [Problem(path, wanted, name) for path, name in named if name and name not in known]


def _placed(problem: Problem, source: Source) -> Problem:
    place = source.place(problem.path)
    return problem if place is None else replace(problem, file=place.file, line=place.line)
