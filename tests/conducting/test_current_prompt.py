"""Which changes of the prompt switch the caches, and what the stages are told of them."""

from __future__ import annotations

import pytest
import torch

from avatar_nodes.block.block import Prompt
from avatar_nodes.conducting.current_prompt import CurrentPrompt
from avatar_nodes.conducting.effects import AnnouncePrompt, Effect


class Speaker:
    """Issues blocks as a conversation decides: its own changes switch the caches."""

    def __init__(self) -> None:
        self.told: list[Effect] = []
        self.prompts = CurrentPrompt(
            lambda text: Prompt(id=text, text=text, states=torch.zeros(1, 4)), "idles",
            emit=self.told.append,
        )  # fmt: skip
        self._last = "idles"

    def issue(self, text: str) -> bool:
        """The next block has this prompt; returns whether it would switch the caches."""
        before, self._last = self._last, text
        self.prompts.settle()
        self.prompts.use(text, switch=True)
        switches = self.prompts.switch
        self.prompts.issued(changed=before != text)
        return switches

    @property
    def announced(self) -> list[tuple[str, int | None]]:
        return [
            (e.prompt.text, e.expected_block) for e in self.told if isinstance(e, AnnouncePrompt)
        ]


@pytest.fixture
def speaker() -> Speaker:
    return Speaker()


def test_an_operator_s_wish_counts_for_his_change_alone(speaker: Speaker) -> None:
    assert speaker.issue("idles")
    speaker.prompts.ask("smiles", switch=False)
    assert not speaker.issue("smiles")
    assert speaker.issue("waves"), "a gesture"
    assert speaker.issue("smiles"), "again, by itself"


def test_it_waits_for_the_end_of_a_gesture(speaker: Speaker) -> None:
    assert speaker.issue("waves")
    speaker.prompts.ask("smiles", switch=False)
    assert speaker.issue("waves")
    assert speaker.issue("nods")
    assert not speaker.issue("smiles")
    assert speaker.issue("idles")


def test_the_way_back_is_his_too(speaker: Speaker) -> None:
    assert speaker.issue("smiles")
    speaker.prompts.ask("", switch=False)
    assert not speaker.issue("listens")
    assert speaker.issue("idles")


def test_stages_are_told_of_every_change_once_and_before_its_block(speaker: Speaker) -> None:
    speaker.prompts.announce()
    for _ in range(2):
        speaker.prompts.use("waves", switch=True)
    assert speaker.announced == [("idles", None), ("waves", None)]


def test_what_is_expected_is_told_once_for_each_block(speaker: Speaker) -> None:
    for _ in range(2):
        speaker.prompts.expect("waves", 7)
        speaker.prompts.expect(None, 7)
        speaker.prompts.expect("idles", 7)
    speaker.prompts.expect("waves", 8)
    assert speaker.announced == [("waves", 7), ("waves", 8)]
    assert speaker.prompts.current.text == "idles"


def test_of_many_wishes_few_are_told_and_the_last_counts(speaker: Speaker) -> None:
    prompts = speaker.prompts
    for tick in range(100):
        prompts.ask(f"wish {tick}", switch=False)
        prompts.settle(tick * 0.005)
    assert len(speaker.announced) == 3, "in half a second"
    prompts.settle()
    assert prompts.current.text == "wish 99"
    prompts.settle()
    assert len(speaker.announced) == 4
