"""Turns a text into what is heard of it: its words, and those that signs and numbers stand for."""

from __future__ import annotations

import unicodedata

from avatar_nodes.text.english import ENGLISH
from avatar_nodes.text.french import FRENCH
from avatar_nodes.text.german import GERMAN
from avatar_nodes.text.markup import without_markup
from avatar_nodes.text.reading import Reading
from avatar_nodes.text.spanish import SPANISH
from avatar_nodes.text.words import has_words

_READINGS: dict[str, Reading] = {"en": ENGLISH, "de": GERMAN, "es": SPANISH, "fr": FRENCH}
_UNSEEN = ("Cc", "Cs", "Co", "Cn")
_PICTURES_FROM = "\u2190"  # below are signs that are spoken, such as the degree sign
_PICTURE_PARTS = "\u20e3\ufe0e\ufe0f"
_SKIN_TONES = ("\U0001f3fb", "\U0001f3ff")


def speakable(text: str, language: str = "") -> str:
    """`text` as it is read aloud, without markup, emoji and control characters; empty when no word
    is left.

    Amounts of money, times, dates, telephone numbers, addresses and mathematical signs become
    words in English, German, Spanish and French; plain numbers stay digits, which each voice reads
    in its language. In another language signs stay as they are.

    Args:
        language: BCP 47.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    seen = without_markup("".join(_seen(sign) for sign in text))
    lines = [" ".join("".join(map(_seen, line)).split()) for line in seen.split("\n")]
    reading = _READINGS.get(language.replace("_", "-").partition("-")[0].lower())
    if reading is not None:
        lines = [reading.read(line) for line in lines]
    whole = _joined([line for line in lines if line])
    return whole if has_words(whole) else ""


def _joined(lines: list[str]) -> str:
    """One line, in which the end of a line is heard."""
    ended = [line if not line[-1].isalnum() else f"{line}." for line in lines[:-1]]
    return " ".join(ended + lines[-1:])


def _seen(sign: str) -> str:
    if sign == "\n":
        return sign
    category = unicodedata.category(sign)
    if sign in _PICTURE_PARTS:
        return ""
    picture = category == "So" and sign >= _PICTURES_FROM
    tone = _SKIN_TONES[0] <= sign <= _SKIN_TONES[1]
    return " " if picture or tone or category in _UNSEEN else sign
