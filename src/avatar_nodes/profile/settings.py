"""The base of nodes' settings: values of the profile by key, and what the graph adds to them.

A station declares its settings once, in its own folder. A field that is a key of the profile names
it (`dtype: DType = key("model.dtype")`) and has its default, range and meaning from there; a class
that extends a whole section has all of its keys. `NodeSettings.of` fills the fields from a profile,
`nodes/base/parameters.py` makes ROS parameters of them. Nothing here needs ROS or torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field
from pydantic.fields import FieldInfo

from avatar_nodes.profile.keys import key, profile_field, sections
from avatar_nodes.profile.schema import Profile
from avatar_nodes.profile.section import Section

ParameterValue = bool | int | float | str | list[int] | list[float] | list[str]
_Settings = TypeVar("_Settings", bound="NodeSettings")

_NO_WORDS = [""]
"""An empty list as a ROS parameter: of one without elements, ROS does not know the type."""


class NodeSettings(Section):
    """What every node is told."""

    LIVE: ClassVar[frozenset[str]] = frozenset({"log_level"})
    """Fields whose parameters may be set while the node runs; a subclass adds its own."""

    autostart: bool = Field(
        default=True, description="Configure and activate the node as soon as it is up."
    )
    diagnostics_period_s: float = key("diagnostics.period_s")
    frame_id: str = key("video.frame_id")
    log_level: Literal["default", "debug", "info", "warn", "error", "fatal"] = Field(
        default="default",
        description="Least severe lines of the node's log; `default`: as its process was started.",
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """Raises TypeError: a field is of another type than its key in the profile."""
        for name, path in cls.profile_keys().items():
            own, of = cls.model_fields[name].annotation, profile_field(path).annotation
            if own != of:
                raise TypeError(f"{cls.__name__}.{name}: {path} is {of}, not {own}")

    @classmethod
    def of(cls: type[_Settings], profile: Profile, *entries: Section, **own: Any) -> _Settings:
        """The settings that `profile` gives.

        Args:
            entries: which entry of a list (`placement.denoisers`) is meant.
            own: values of fields that are no keys, and of those that differ from the profile.

        Raises:
            pydantic.ValidationError: a value is missing, of another type or out of range.
        """
        keys = cls.profile_keys().items()
        values = {name: _look_up(profile, path, entries) for name, path in keys if name not in own}
        return cls(**values, **own)

    @classmethod
    def from_parameters(cls: type[_Settings], values: Mapping[str, Any]) -> _Settings:
        """From what `parameters` gave. Raises pydantic.ValidationError."""
        return cls(**{name: [] if v == _NO_WORDS else v for name, v in values.items()})

    def parameters(self) -> dict[str, ParameterValue]:
        """The values as a ROS parameter file can hold them."""
        return {name: v if v != [] else [*_NO_WORDS] for name, v in self.model_dump().items()}

    @classmethod
    def parameter_fields(cls) -> dict[str, FieldInfo]:
        """The fields that are parameters: all but excluded ones, by name."""
        return {name: field for name, field in cls.model_fields.items() if not field.exclude}

    @classmethod
    def profile_keys(cls) -> dict[str, str]:
        """Parameter name -> the profile's key that it is, `section.key`."""
        return {
            name: path
            for name, field in cls.parameter_fields().items()
            if (path := cls._key_of(name, field)) is not None
        }

    @classmethod
    def _key_of(cls, name: str, field: FieldInfo) -> str | None:
        """What `key` has noted, or a field of a section that the class extends."""
        extra = field.json_schema_extra
        if isinstance(extra, dict) and "key" in extra:
            return str(extra["key"])
        for place, section in sections():
            if issubclass(cls, section) and name in section.model_fields:
                return f"{place}.{name}"
        return None


def _look_up(profile: Profile, path: str, entries: tuple[Section, ...]) -> Any:
    value: Any = profile
    for part in path.split("."):
        if isinstance(value, list):
            value = next(entry for entry in entries if isinstance(entry, type(value[0])))
        value = getattr(value, part)
    return value
