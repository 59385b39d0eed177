"""ROS parameters made of a settings class: type, range, default, meaning; errors of one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import Field, model_validator

pytest.importorskip("rclpy", reason="no ROS here")

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.nodes.base.parameters import declare_parameters
from avatar_nodes.profile.section import DTypeName, Pace, Sigmas
from avatar_nodes.profile.settings import NodeSettings, key


class SomeSettings(NodeSettings):
    """One field of each kind, two of which are to agree."""

    sigmas: Sigmas = key("model.sigmas")
    width: int = key("video.width")
    file_minutes: float = key("archive.file_minutes")
    dtype: DTypeName = key("model.dtype")
    pace: Pace = key("stream.pace")
    device: str = key("placement.decoder.device")
    words: list[str] = Field(default_factory=list, description="Of the graph.")

    @model_validator(mode="after")
    def _agree(self) -> SomeSettings:
        if self.words and self.pace == "free":
            raise ValueError("expected no words at pace free, got 'a'")
        return self


GIVEN: dict[str, Any] = {"sigmas": [1.0, 0.5, 0.0], "width": 256}


@pytest.fixture()
def declare() -> Iterator[Any]:
    context = rclpy.Context()
    rclpy.init(context=context)
    nodes: list[Node] = []

    def build(**values: Any) -> tuple[SomeSettings, Node]:
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        node = Node("some", context=context, parameter_overrides=overrides)
        nodes.append(node)
        return declare_parameters(node, SomeSettings), node

    yield build
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown(context=context)


def test_values_are_read_into_the_settings(declare: Any) -> None:
    settings, node = declare(**GIVEN, words=["a", "b"])
    assert settings == SomeSettings(**GIVEN, words=["a", "b"])
    assert node.get_parameter("words").value == ["a", "b"]
    assert declare(**GIVEN)[0].words == []


def test_ros_knows_meaning_and_range(declare: Any) -> None:
    _, node = declare(**GIVEN)
    width, minutes, dtype = node.describe_parameters(["width", "file_minutes", "dtype"])
    assert all(each.read_only and each.description for each in (width, minutes, dtype))
    whole = width.integer_range[0]
    assert (whole.from_value, whole.to_value, whole.step) == (16, 4096, 16)
    assert minutes.floating_point_range[0].to_value == 1440.0
    assert minutes.additional_constraints == "above 0.0"
    assert dtype.additional_constraints == "one of bfloat16, float16, float32"


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"width": "wide"}, "width: expected a whole number from 16 to 4096"),
        ({"width": 8}, "width: expected a whole number from 16 to 4096"),
        ({"width": 100}, "width: expected a whole number"),
        ({"file_minutes": 0.0}, r"file_minutes: expected a number greater than 0.0, got 0.0"),
        ({"pace": "slow"}, "pace: expected one of realtime, free, got 'slow'"),
        ({"device": "gpu"}, "device: expected a text that matches"),
        ({"sigmas": [1.0, 0.5]}, r"sigmas: expected a list that ends in 0.0, got \[1.0, 0.5\]"),
        ({"words": 3}, "words: expected a list"),
    ],
)
def test_what_is_wrong_is_one_line(declare: Any, wrong: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^parameter {line}") as caught:
        declare(**(GIVEN | wrong))
    assert "\n" not in str(caught.value)


def test_values_that_disagree_are_one_line(declare: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^parameters: expected no words at pace free"):
        declare(**GIVEN, words=["a"], pace="free")


def test_what_is_missing_is_named(declare: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^parameter width: .*got nothing \(Picture"):
        declare(sigmas=[1.0, 0.0])
