"""The conductor's prompts without a graph: which changes switch the caches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import rclpy
import torch
from support.settings import overrides_of, settings_of

from avatar_msgs.srv import SetPrompt
from avatar_nodes.block.block import Prompt
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.stream_prompts import StreamPrompts


class Speaker(AvatarNode[ConductorSettings]):
    """Issues blocks as a conversation decides: its own changes switch the caches."""

    KIND = "conductor"

    def setup(self) -> None:
        self.prompts = StreamPrompts(
            self, lambda text: Prompt(id=text, text=text, states=torch.zeros(1, 4)),
            next_block=lambda: 0, on_set=lambda text: None,
        )  # fmt: skip

    def ask(self, text: str, *, switch: bool) -> None:
        request = SetPrompt.Request(prompt=text, cache_switch=switch)
        assert self.prompts._on_set_prompt(request, SetPrompt.Response()).success

    def issue(self, text: str) -> bool:
        """The next block has this prompt; returns whether it would switch the caches."""
        before, self.last = getattr(self, "last", text), text
        self.prompts.use(text, switch=True)
        switches = self.prompts.switch
        self.prompts.issued(changed=before != text)
        return switches


@pytest.fixture
def speaker(ros_context: rclpy.Context) -> Iterator[Speaker]:
    overrides = overrides_of(settings_of(ConductorSettings))
    speaker = Speaker(context=ros_context, parameter_overrides=overrides)
    speaker.autostart()
    yield speaker
    speaker.shut_down()


def test_an_operator_s_wish_counts_for_his_change_alone(speaker: Speaker) -> None:
    assert speaker.issue("idles")
    speaker.ask("smiles", switch=False)
    assert not speaker.issue("smiles")
    assert speaker.issue("waves"), "a gesture"
    assert speaker.issue("smiles"), "again, by itself"


def test_it_waits_for_the_end_of_a_gesture(speaker: Speaker) -> None:
    assert speaker.issue("waves")
    speaker.ask("smiles", switch=False)
    assert speaker.issue("waves")
    assert speaker.issue("nods")
    assert not speaker.issue("smiles")
    assert speaker.issue("idles")


def test_the_way_back_is_his_too(speaker: Speaker) -> None:
    assert speaker.issue("smiles")
    speaker.ask("", switch=False)
    assert not speaker.issue("listens")
    assert speaker.issue("idles")
