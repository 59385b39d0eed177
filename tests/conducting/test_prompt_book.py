"""The prompts of a stream: encoded once, the longest unused forgotten, the sink's kept."""

from __future__ import annotations

import torch

from avatar_nodes.block.block import Prompt
from avatar_nodes.conducting.prompt_book import KNOWN_PROMPTS, PromptBook


def _book() -> tuple[PromptBook, list[str]]:
    encoded: list[str] = []

    def encode(text: str) -> Prompt:
        encoded.append(text)
        return Prompt(id=f"id of {text}", text=text, states=torch.zeros(1, 4))

    return PromptBook(encode, "talk"), encoded


def test_a_text_is_encoded_once() -> None:
    book, encoded = _book()
    assert book.use("wave") and not book.use("wave")
    assert book.encoded("talk").text == "talk" and book.use("talk")
    assert encoded == ["talk", "wave"]


def test_the_longest_unused_are_forgotten() -> None:
    book, encoded = _book()
    for n in range(KNOWN_PROMPTS):
        book.use(f"prompt {n}")
    assert len(book.known) == KNOWN_PROMPTS and "id of talk" not in book.known
    book.use("talk")
    assert encoded.count("talk") == 2


def test_the_pinned_one_is_kept_until_another_is() -> None:
    book, _ = _book()
    book.pinned = "id of talk"
    for n in range(2 * KNOWN_PROMPTS):
        book.use(f"prompt {n}")
    assert "id of talk" in book.known and len(book.known) == KNOWN_PROMPTS
    book.pinned = book.current.id
    book.use("another")
    assert "id of talk" not in book.known and len(book.known) == KNOWN_PROMPTS


def test_those_that_blocks_may_need_are_kept() -> None:
    book, _ = _book()
    needed = {"id of talk", "id of prompt 3"}
    book.needed = lambda: needed
    for n in range(2 * KNOWN_PROMPTS):
        book.use(f"prompt {n}")
    assert needed <= book.known.keys() and len(book.known) == KNOWN_PROMPTS
