"""Texts as recognisers write them, that break off in the middle, and such that do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_nodes.hearing.unfinished import breaks_off, is_one_word

BEGUN = {
    "en": (
        "My name is...", "Hello, my name is.", "my name is", "My phone number is", "My email is.",
        "555", "555s", "5 5 5", "5-5-5", "five five five", "1, 2, 3, 4.", "555 123", "076",
        "My number is 555.", "My number is 555. 1, 2, 3", "the code is 9-11.", "double five six",
        "call me at zero seven", "Um.", "Where is the um", "Can you tell me um?",
        "I would like to.", "Hi, I'm", "the red one and", "Can you tell me,",
    ),
    "de": (
        "Mein Name ist", "Meine Nummer ist 0 1 7 6.", "Ich heiße", "null eins sieben", "Ähm.",
        "Hallo, ich bin", "Meine Telefonnummer lautet", "Ich möchte",
    ),
    "es": ("Me llamo", "Mi nombre es...", "mi número es 612.", "seis uno dos", "Quisiera"),
    "fr": ("Je m'appelle", "Mon nom est", "mon numéro est le 06.", "zéro six un deux", "Euh..."),
}  # fmt: skip
WHOLE = {
    "en": (
        "", "Yes.", "5.", "42.", "300", "No, thank you.", "My name is Anna.", "What is your name?",
        "Where's room 212?", "It costs 350.", "I am 25.", "My number is 555-123-4567.",
        "My number is 5551234567", "What is this for?", "What is the number?", "One.", "I'm one.",
        "Room 212.", "I was born in 1984.", "thank you very much", "that is it",
    ),
    "de": ("Ja.", "Mein Name ist Anna.", "Wo ist Zimmer 212?", "Es kostet 350 Euro.", "Danke."),
    "es": ("Sí.", "Me llamo Ana.", "¿Dónde está el baño?", "Cuesta 350 euros.", "Gracias."),
    "fr": ("Oui.", "Je m'appelle Anne.", "Où est la sortie ?", "Merci beaucoup.", "Deux."),
}  # fmt: skip


def cases(texts: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(language, text) for language, group in texts.items() for text in group]


@pytest.mark.parametrize(("language", "text"), cases(BEGUN))
def test_only_the_beginning(language: str, text: str) -> None:
    assert breaks_off(text, language)


@pytest.mark.parametrize(("language", "text"), cases(WHOLE))
def test_all_of_it(language: str, text: str) -> None:
    assert not breaks_off(text, f"{language}-XX")


@pytest.mark.parametrize(
    ("text", "one"), [("Yes.", True), ("5", True), ("don't", True), ("", False), ("no no", False)]
)
def test_one_word(text: str, one: bool) -> None:
    assert is_one_word(text) is one


@given(st.text(max_size=80), st.sampled_from(["en", "de", "es", "fr", "ja", ""]))
def test_any_text(text: str, language: str) -> None:
    assert breaks_off(text, language) in (True, False)
