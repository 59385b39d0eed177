"""Only words are spoken, and what signs and numbers stand for."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_nodes.speaking.synthesis.espeak_library import Espeak
from avatar_nodes.text.speakable import speakable

LANGUAGES = ("en", "de", "es", "fr", "it")


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Hello, world!", "Hello, world!"),
        ("**Great** 👍🏽 idea", "Great idea"),
        ("👋 ✨", ""),
        ("... !?", ""),
        ("# Title\n\n- `one`\n- _two_", "Title. one. two"),
        ("See [the map](https://a.b/c?d=e) now", "See the map now"),
        ("It is 20 °C, © 2026", "It is 20 °C, © 2026"),
        ("Grüß dich, 你好", "Grüß dich, 你好"),
        ("می‌خواهم", "می‌خواهم"),
        ("a\0b\x07c\ud800", "a b c"),
        ("$3.50 a_b C# 5 * 3", "$3.50 a_b C# 5 * 3"),
    ],
)
def test_what_is_spoken_in_any_language(text: str, spoken: str) -> None:
    assert speakable(text) == spoken


WORDS = {
    "en": {
        "Write to jane_doe@example.com.": "Write to jane underscore doe at example dot com.",
        "It costs $3.50 or €1,234.56.": "It costs "
        "3 dollars and 50 cents or 1234 euros and 56 cents.",
        "$1, $0.99, $5-10 and $3.5 million": "1 dollar, 99 cents, 5 to 10 dollars and "
        "3.5 million dollars",
        "Call 555-123-4567.": "Call 5 5 5, 1 2 3, 4 5 6 7.",
        "+49 30 1234567": "plus 4 9, 3 0, 1 2 3 4 5 6 7",
        "On 2024-12-25 it is closed.": "On December 25th, 2024 it is closed.",
        "Dec. 25, 2024, 12/25/2024": "December 25th, 2024, December 25th, 2024",
        "Open Monday 9-5.": "Open Monday 9 to 5.",
        "9:30 am, 9:05, 9:00": "9 30 AM, 9 oh 5, 9 o'clock",
        "5 * 3 = 15. Use C# not C.": "5 times 3 equals 15. Use C sharp not C.",
        "Press * to go.": "Press star to go.",
        "ABC-123_xyz": "ABC-123 underscore xyz",
        "https://www.example.com/a_b#top.": "www dot "
        "example dot com slash a underscore b hash top.",
        "**Bold**.\n- item two\n1. First\n2. Second": "Bold. item two. 1. First. 2. Second",
        'Hello <break time="3s"/> world AT&amp;T': "Hello world A T and T",
        "No. 5, e.g. this": "number 5, for example this",
        "-5 °C, 5 - 3, x^2, 2**3, 5 < 6": "minus 5 degrees Celsius, 5 minus 3, "
        "x to the power of 2, 2 to the power of 3, 5 is less than 6",
        "version 1.2.3, 1,234,567 people": "version 1 dot 2 dot 3, 1234567 people",
        "C++ and snake_case": "C plus plus and snake underscore case",
        "```python\nx = 3\n```": "x equals 3",
        "| a | b |": "a, b",
        "1/2 or 3/4": "one half or three quarters",
        "*Half of a pair": "Half of a pair",
    },
    "de": {
        "Um 9.30 Uhr, z. B. am 3. Oktober.": "Um 9 Uhr 30, zum Beispiel am dritten Oktober.",
        "Ich habe 3. Du hast 4.": "Ich habe 3. Du hast 4.",
        "der 3. Oktober, in der 3. Klasse": "der dritte Oktober, in der dritten Klasse",
        "am 25.12.1999": "am fünfundzwanzigsten Dezember 19 hundert 99",
        "am 2024-12-25": "am fünfundzwanzigsten Dezember 2024",
        "1.234,56 € oder 3,50 € oder 1 €": "1234 Euro und 56 Cent oder 3 Euro und 50 Cent oder "
        "ein Euro",
        "030/1234567": "0 3 0, 1 2 3 4 5 6 7",
        "jane_doe@example.com": "jane Unterstrich doe at example Punkt com",
        "9-17 Uhr, um 1 Uhr, 14:05": "9 bis 17 Uhr, um ein Uhr, 14 Uhr 5",
        "5 * 3 = 15, 50 %": "5 mal 3 gleich 15, 50 Prozent",
        "Nr. 5, bzw. ca. 3": "Nummer 5, beziehungsweise circa 3",
    },
    "es": {
        "5 * 3 = 15": "5 por 3 igual a 15",
        "El 2024-12-25 a las 9:30": "El 25 de diciembre de 2024 a las 9 y 30",
        "25/12/2024, a la 1:05": "25 de diciembre de 2024, a la una y 5",
        "1.234,56 € y 1 €": "1234 euros con 56 céntimos y un euro",
        "912 345 678, 9-5": "9 1 2, 3 4 5, 6 7 8, 9 a 5",
        "El 1.º y la 3.ª, p. ej.": "El primero y la tercera, por ejemplo",
        "a_b@example.com": "a guion bajo b arroba example punto com",
    },
    "fr": {
        "5 * 3 = 15": "5 fois 3 égale 15",
        "Le 2024-12-25 à 9h30": "Le 25 décembre 2024 à 9 heures 30",
        "le 01/01/2024, 21 h": "le premier janvier 2024, vingt et une heures",
        "1 234,56 € et 1 €": "1234 euros et 56 centimes et un euro",
        "01 23 45 67 89, 9-5": "0 1, 2 3, 4 5, 6 7, 8 9, 9 à 5",
        "le 1er et le 2e, n° 5": "le premier et le deuxième, numéro 5",
        "a_b@example.com": "a tiret bas b arobase example point com",
    },
}


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [(language, *case) for language, cases in WORDS.items() for case in cases.items()],
)
def test_the_words_of_signs_and_numbers(language: str, text: str, spoken: str) -> None:
    assert speakable(text, language) == spoken
    assert speakable(spoken, language) == spoken


@pytest.mark.parametrize(
    ("voice", "text", "sounds_like"),
    [
        ("en-us", "$3.50", "three dollars and fifty cents"),
        ("en-us", "C#", "C sharp"),
        ("en-us", "9-5", "nine to five"),
        ("de", "9.30 Uhr", "neun Uhr dreißig"),
        ("de", "z. B. am 3. Oktober", "zum Beispiel am dritten Oktober"),
        ("es", "5 * 3", "cinco por tres"),
        ("fr", "5 * 3", "cinq fois trois"),
    ],
)
def test_the_default_voice_sounds_so(voice: str, text: str, sounds_like: str) -> None:
    with Espeak(lambda samples, marks: False) as machine:
        heard = machine.phonemes(speakable(text, voice), voice=voice)
        assert heard == machine.phonemes(sounds_like, voice=voice)


@given(st.text(st.characters(), max_size=80), st.sampled_from(LANGUAGES))
def test_any_text_is_read(text: str, language: str) -> None:
    spoken = speakable(text, language)
    spoken.encode()
    assert "\n" not in spoken


PLAIN = "abcxyzABCÄéßñ012789 .,:;!?*_-+=/#$€%()'\n"


@given(st.text(PLAIN, max_size=60))
def test_no_letter_and_no_digit_of_a_plain_text_is_lost(text: str) -> None:
    assert _letters(speakable(text)) == _letters(text)


WITHOUT_DIGITS = "abcxyzABCÄéßñ *_-+=/#$€%()'!?\n"


@given(st.text(WITHOUT_DIGITS, max_size=60), st.sampled_from(LANGUAGES))
def test_each_letter_of_a_plain_text_is_read(text: str, language: str) -> None:
    spoken = iter(_letters(speakable(text, language)))
    assert all(letter in spoken for letter in _letters(text))


@given(st.integers(0, 10**9), st.sampled_from(LANGUAGES))
def test_each_digit_of_a_number_is_read(number: int, language: str) -> None:
    assert str(number) in speakable(f"a {number} b", language)


@pytest.mark.parametrize(
    "piece", [*"*_[<`#-&1.a@ ~|", "1,", "0 1", "$1", "<a ", "**a ", "[](", "\n*", "1-", "a."]
)
def test_ten_kilobytes_of_markup_take_no_time(piece: str) -> None:
    text = (piece * 10_000)[:10_000]
    begun = time.process_time()
    speakable(text, "de")
    assert time.process_time() - begun < 2.0


def _letters(text: str) -> str:
    return "".join(sign for sign in text if sign.isalnum())
