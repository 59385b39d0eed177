"""Reads a profile: finds its file, follows `extends`, validates, and says what is wrong where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from avatar_nodes.block.timing import BlockTiming, TimingError
from avatar_nodes.profile.consistency import inconsistencies
from avatar_nodes.profile.explain import explain
from avatar_nodes.profile.people import shipped_picture
from avatar_nodes.profile.problem import Problem, ProfileError, Said
from avatar_nodes.profile.resources import share_directory
from avatar_nodes.profile.schema import Profile
from avatar_nodes.profile.source import (
    Source,
    is_bare_word,
    is_file,
    locate_yaml,
    merge_values,
    read_source,
)

# Values that are paths, resolved when the profile is read.
_PATHS = (("model", "checkpoint"), ("stream", "reference"), ("reasoner", "persona"))
# Values that are paths in the checkpoint, unless they are found beside the profile.
_IN_CHECKPOINT = (("model", "lora"), ("model", "light_decoder"))
# Where a bare word is the name of something that is shipped.
_NAMES = (("reasoner", "persona"),)
_PERSON = ("stream", "reference")
_NO_PROFILES = ("analyzers.yaml", "models.yaml")


def load_profile(name: str | Path) -> Profile:
    """The profile of that name (`tiny`: the package's `config/tiny.yaml`) or of that YAML file.

    Raises:
        ProfileError: one line for each problem, with file, line, key, what was expected and what
        was found.
    """
    file = _locate(str(name), Path.cwd() / "here")
    if not is_file(file):
        known = ", ".join(profile_names())
        raise ProfileError([Problem((), f"a profile file or one of {known}", str(name))])
    source = read_source(file, _locate)
    for section, key in (*_PATHS, *_IN_CHECKPOINT):
        _resolve_path(source, section, key)
    return _validate(source)


def profile_names() -> list[str]:
    """Names of the profiles that the package ships."""
    files = (share_directory() / "config").glob("*.yaml")
    return sorted(file.stem for file in files if file.name not in _NO_PROFILES)


def with_values(profile: Profile, values: Mapping[str, Any]) -> Profile:
    """`profile` with some values replaced (nested as in the YAML), validated again.

    Raises:
        ProfileError: as `load_profile`, without file and line.
    """
    before = profile.model_dump()
    if "checkpoint" in values.get("model", {}):  # whose timing may be another
        del before["video"]["fps"], before["audio"]["sample_rate"]
    return _validate(Source(merge_values(before, values)))


def _locate(name: str, beside: Path) -> Path:
    return locate_yaml(name, beside, share_directory() / "config")


def _resolve_path(source: Source, section: str, key: str) -> None:
    """A relative path is beside the file that has it, or else among the package's own files."""
    values = source.values.get(section)
    if not isinstance(values, dict) or not isinstance(values.get(key), str) or not values[key]:
        return
    place = source.place((section, key))
    path = Path(values[key]).expanduser()
    if (section, key) in _NAMES and is_bare_word(values[key]):
        return
    if (section, key) == _PERSON and (picture := shipped_picture(values[key])):
        values[key] = str(picture)
        return
    beside = place.file.parent / path if place else path
    if (section, key) in _IN_CHECKPOINT and not beside.exists():
        return
    values[key] = str(beside.absolute() if beside.exists() else share_directory() / path)


def _validate(source: Source) -> Profile:
    try:
        profile = Profile.model_validate(_timed(source.values))
    except ValidationError as error:
        problems = [explain(detail, Profile) for detail in error.errors(include_url=False)]
    except TimingError as error:
        wanted = "a model with a timing that can be"
        problems = [Problem(("model", "checkpoint"), wanted, Said(error.reason))]
    else:
        problems = inconsistencies(profile)
        if not problems:
            return profile
    placed = [_placed(problem, source) for problem in problems]
    raise ProfileError(sorted(placed, key=lambda problem: (str(problem.file), problem.line or 0)))


def _timed(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """`values` with those that follow from the checkpoint, where they are left out."""
    model, video, audio = (values.get(name, {}) for name in ("model", "video", "audio"))
    if not video or not all(isinstance(section, Mapping) for section in (model, video, audio)):
        return values
    timing = BlockTiming.read(str(model.get("checkpoint", "")))
    return {
        **values,
        "video": {"fps": timing.frame_rate, **video},
        "audio": {"sample_rate": timing.sample_rate, **audio},
    }


def _placed(problem: Problem, source: Source) -> Problem:
    place = source.place(problem.path)
    return problem if place is None else replace(problem, file=place.file, line=place.line)
