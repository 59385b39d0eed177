"""Only words are spoken."""

from __future__ import annotations

import pytest

from avatar_nodes.speaking.speakable_text import speakable


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Hello, world!", "Hello, world!"),
        ("**Great** 👍🏽 idea", "Great idea"),
        ("👋 ✨", ""),
        ("... !?", ""),
        ("# Title\n\n- `one`\n- _two_", "Title - one - two"),
        ("See [the map](https://a.b/c?d=e) now", "See the map now"),
        ("It is 20 °C, © 2026", "It is 20 °C, © 2026"),
        ("Grüß dich, 你好", "Grüß dich, 你好"),
        ("می‌خواهم", "می‌خواهم"),
        ("a\0b\x07c\ud800", "a b c"),
    ],
)
def test_what_is_spoken(text: str, spoken: str) -> None:
    assert speakable(text) == spoken
