"""What has words, and what comes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_nodes.text.words import LONGEST_ENTRY, clean_text, has_words


@pytest.mark.parametrize("text", ["", " ", "...", "👍🏽", "?!", "\ud83d", "\0", "♪ ♪", "—"])
def test_nothing_was_said(text: str) -> None:
    assert not has_words(text)


@pytest.mark.parametrize("text", ["a", "5", "…yes", "你好", "é", "½", "م"])
def test_something_was_said(text: str) -> None:
    assert has_words(text)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  Hello\n", "Hello"),
        ("a\0b\x1b[0m\ud800", "a b [0m"),
        ("one\ntwo\tthree", "one\ntwo\tthree"),
        ("x" * 5000, "x" * LONGEST_ENTRY),
    ],
)
def test_clean(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@given(st.text(st.characters(), max_size=200), st.integers(1, 50))
def test_any_text_is_cleaned(text: str, longest: int) -> None:
    clean = clean_text(text, longest=longest)
    clean.encode()
    assert len(clean) <= longest
    assert clean_text(clean, longest=longest) == clean
