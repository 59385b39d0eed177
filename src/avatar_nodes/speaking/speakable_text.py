"""What of a text is to be heard: its words, without what is only there to be seen."""

from __future__ import annotations

import re
import unicodedata

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKUP = re.compile(r"[*_`#~|]+")
_UNSEEN = ("Cc", "Cs", "Co", "Cn", "Sk")
_PICTURES_FROM = "\u2190"  # below are signs that are spoken, such as the degree sign


def speakable(text: str) -> str:
    """`text` without emoji, control characters and Markdown; empty when no word is left."""
    text = _MARKUP.sub(" ", _LINK.sub(r"\1", text))
    kept = " ".join("".join(" " if _is_unseen(letter) else letter for letter in text).split())
    return kept if any(letter.isalnum() for letter in kept) else ""


def _is_unseen(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category in _UNSEEN or (category == "So" and letter >= _PICTURES_FROM)
