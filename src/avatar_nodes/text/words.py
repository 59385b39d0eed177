"""Tells whether a text has words, and cleans texts as they come in from outside."""

from __future__ import annotations

import unicodedata

LONGEST_ENTRY = 4000
"""Characters of a text that comes in, at most."""
_ZERO_WIDTH_SPACES = "\u200b\ufeff"


def has_words(text: str) -> bool:
    """Whether a letter or digit is in it: nobody says an emoji, a sign, or "..."."""
    return any(sign.isalnum() for sign in text)


def clean_text(text: str, *, longest: int = LONGEST_ENTRY) -> str:
    """`text` as it may go on from where it entered: valid Unicode without control characters
    (line breaks and tabs stay), without outer space, and at most `longest` characters."""
    # The copy goes over twice the length only: signs that are left out are rarely the rest of it.
    signs = "".join(" " if _is_hidden(sign) else sign for sign in text[: 2 * longest])
    return signs.strip()[:longest].rstrip()


class WholeSigns:
    """Joins what comes in pieces to valid Unicode: the two halves of an emoji may come in two."""

    def __init__(self) -> None:
        self._half = ""

    def push(self, text: str) -> str:
        """`text` as far as its signs are whole; half a sign alone becomes U+FFFD."""
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _is_hidden(sign: str) -> bool:
    if sign in "\n\t":
        return False
    return unicodedata.category(sign) in ("Cc", "Cs") or sign in _ZERO_WIDTH_SPACES
