"""espeak-ng's phonemes in the alphabet that Kokoro was trained on, as numbers."""

from __future__ import annotations

import re

from avatar_nodes.speaking.synthesis.espeak_library import TIE, Espeak

# Kokoro's own alphabet: place in its vocabulary of each letter.
_NUMBERS = {
    letter: number
    for number, letters in (
        (1, ";:,.!?"), (9, "—…\"()“” \u0303ʣʥʦʨᵝ\uab67AI"), (31, "O"), (33, "Q"), (35, "ST"),
        (39, "W"), (41, "Yᵊabcdef"), (50, "hijklmnopqrstuvwxyzɑɐɒæ"), (75, "βɔɕç"),
        (80, "ɖðʤə"), (85, "ɚɛɜ"), (90, "ɟ"), (92, "ɡ"), (99, "ɥ"), (101, "ɨɪʝ"),
        (110, "ɯɰŋɳɲɴø"), (118, "ɸθœ"), (123, "ɹ"), (125, "ɾɻ"), (128, "ʁɽʂʃʈʧ"), (135, "ʊʋ"),
        (138, "ʌɣɤ"), (142, "χʎ"), (147, "ʒʔ"), (156, "ˈˌː"), (162, "ʰ"), (164, "ʲ"),
        (169, "↓"), (171, "→↗↘"), (177, "ᵻ"),
    )
    for number, letter in enumerate(letters, start=number)
}  # fmt: skip
# One letter for what the other languages and English have two for.
_JOINED = {
    "a^ɪ": "I", "a^ʊ": "W", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "ɔ^ɪ": "Y", "d^z": "ʣ",
    "d^ʒ": "ʤ", "t^s": "ʦ", "t^ʃ": "ʧ",
}  # fmt: skip
_ENGLISH = {"ə^l": "ᵊl", "ɚ": "əɹ", "e": "A", "r": "ɹ", "x": "k", "ç": "k", "ɐ": "ə", "ʲ": "",
            "ɬ": "l", "ʔ": "t", "\u0303": ""}  # fmt: skip
_AMERICAN = {"ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪə": "iə", "ː": "", "o": "ɔ"}
_BRITISH = {"e^ə": "ɛː", "iə": "ɪə", "o": "ɔ"}
_SYLLABIC = "\u0329"


def clause_phonemes(clause: str, language: str) -> str:
    """A clause as espeak-ng reads it, in Kokoro's letters, with the mark that ends it.

    Raises:
        SpeechError, OSError: espeak-ng cannot read it.
    """
    mark = clause[-1] if clause[-1] in ",;:.!?…—" else ""
    with Espeak(lambda samples, marks: False) as machine:
        ipa = machine.phonemes(clause, voice=language)
    return kokoro_phonemes(ipa, language) + mark


def kokoro_phonemes(ipa: str, language: str) -> str:
    """espeak-ng's IPA, with TIE, as Kokoro's letters.

    Args:
        language: espeak-ng's name of it; `en-us` and `en` have an alphabet of their own.
    """
    tables = [_JOINED]
    if language == "en-us":
        tables += [_ENGLISH, _AMERICAN]
    elif language == "en":
        tables += [_BRITISH, _ENGLISH]
    for table in tables:
        for old in sorted(table, key=len, reverse=True):
            ipa = ipa.replace(old, table[old])
    ipa = re.sub(rf"(\S){_SYLLABIC}", r"ᵊ\1", ipa)
    return ipa.replace(TIE, "").replace("-", "")


def known_phonemes(phonemes: str) -> str:
    """Without the letters that Kokoro does not know."""
    return "".join(letter for letter in phonemes if letter in _NUMBERS)


def numbers_of(phonemes: str) -> list[int]:
    """Their places in Kokoro's vocabulary; what it does not know is left out."""
    return [_NUMBERS[letter] for letter in phonemes if letter in _NUMBERS]
