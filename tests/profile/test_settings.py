"""A node's settings: keys of the profile by name, whole sections, what the graph adds."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from avatar_nodes.profile import load_profile, with_values
from avatar_nodes.profile.loudspeaker import LoudspeakerSection
from avatar_nodes.profile.model import ModelSection
from avatar_nodes.profile.section import Device, DTypeName, Sigmas, Steps
from avatar_nodes.profile.settings import NodeSettings, key

TINY = load_profile("tiny")


class StepSettings(NodeSettings):
    """Some keys, one of them of a list's entry."""

    dtype: DTypeName = key("model.dtype")
    sigmas: Sigmas = key("model.sigmas")
    steps: Steps = key("placement.denoisers.steps")
    device: Device = key("placement.denoisers.device")
    words: list[str] = Field(default_factory=list, description="Of the graph.")


class SectionSettings(LoudspeakerSection, NodeSettings):
    """A whole section, but for whether there is a node at all."""

    enabled: bool = Field(default=True, exclude=True)
    sample_rate: int = key("audio.sample_rate")


def test_keys_have_the_profile_s_values_and_the_graph_has_the_last_word() -> None:
    profile = with_values(TINY, {"model": {"dtype": "float16"}, "diagnostics": {"period_s": 7.0}})
    place = profile.placement.denoisers[-1]
    settings = StepSettings.of(profile, place, device="cuda:3")
    assert settings.dtype == "float16" and settings.diagnostics_period_s == 7.0
    assert settings.sigmas == profile.model.sigmas and settings.steps == place.steps
    assert settings.device == "cuda:3" and settings.words == []


def test_a_key_has_the_profile_s_default_range_and_meaning() -> None:
    default = StepSettings(sigmas=[1.0, 0.0], steps=[0])
    assert default.dtype == ModelSection.model_fields["dtype"].default
    assert StepSettings.model_fields["sigmas"].description
    for wrong in ({"sigmas": [1.0, 0.5]}, {"steps": []}, {"device": "gpu"}, {"dtype": "int8"}):
        with pytest.raises(ValidationError):
            StepSettings(**{"sigmas": [1.0, 0.0], "steps": [0], **wrong})


def test_a_section_s_keys_are_parameters_but_not_whether_there_is_a_node() -> None:
    profile = with_values(TINY, {"loudspeaker": {"device": "hall", "delay_s": 0.25}})
    settings = SectionSettings.of(profile)
    assert settings.parameters() == {
        "autostart": True, "diagnostics_period_s": 1.0, "device": "hall", "delay_s": 0.25,
            "frame_id": "avatar_camera_optical_frame", "log_level": "default", "volume": 1.0,
        "sample_rate": 16000,
    }  # fmt: skip
    assert SectionSettings.profile_keys()["device"] == "loudspeaker.device"


def test_parameters_survive_the_way_there_and_back() -> None:
    settings = StepSettings.of(TINY, TINY.placement.denoisers[0])
    assert settings.parameters()["words"] == [""], "ROS knows no list without elements"
    assert StepSettings.from_parameters(settings.parameters()) == settings


def test_a_key_that_is_none_and_a_type_that_differs_are_found_at_once() -> None:
    with pytest.raises(ValueError, match=r"the profile has no key model\.colour"):
        key("model.colour")
    with pytest.raises(TypeError, match=r"Wrong.dtype: model.dtype is .*, not <class 'str'>"):

        class Wrong(NodeSettings):
            dtype: str = key("model.dtype")
