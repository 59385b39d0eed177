"""Whether a text breaks off in the middle: who has said "my name is", or the first digits of a
number, goes on after a pause."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GROUP, _WHOLE = 3, 10
"""Digits of a group, and of a telephone number that is complete."""
_FILLER = re.compile(r"(?:^| )(?:u[hm]+|erm?|ähm?|hm+|euh+|em+)$", re.IGNORECASE)
"""Said while thinking, in any language; recognisers put a question mark behind it."""
_DIGITS = re.compile(r"\d+s?")  # "555s" is what Whisper makes of "five, five, five"


@dataclass(frozen=True)
class _Language:
    """`opens`: what never ends a sentence. `numbers`: what announces a number that is dictated.
    `digits`: how digits are called."""

    opens: re.Pattern[str]
    numbers: re.Pattern[str]
    digits: re.Pattern[str]


def _language(opens: str, numbers: str, digits: str) -> _Language:
    return _Language(
        re.compile(rf"(?:^|.*\s)(?:{opens})", re.IGNORECASE | re.DOTALL),
        re.compile(rf"\b(?:{numbers})\b", re.IGNORECASE),
        re.compile(rf"(?:{digits})", re.IGNORECASE),
    )


_LANGUAGES = {
    "en": _language(
        r"and|or|but|because|my|your|would like to|want to|need to|it's called"
        r"|my(?: \w+){1,3} is|(?:i am|i'm) called|(?:hi|hello|hey) (?:i am|i'm|this is)",
        r"number|phone|code|call|reach|card|account|pin|dial|zip",
        r"zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple",
    ),
    "de": _language(
        r"und|oder|aber|weil|der|ein|eine|einen|mein|meine|dein|von|für|zum|zur"
        r"|meine?(?: \w+){1,3} (?:ist|lautet)|ich heiße|(?:hallo|hi) ich bin|ich möchte",
        r"nummer|telefonnummer|handynummer|telefon|code|konto|karte|pin|postleitzahl",
        r"null|eins|zwei|zwo|drei|vier|fünf|sechs|sieben|acht|neun",
    ),
    "es": _language(
        r"y|o|pero|porque|el|los|las|mi|tu|de|del|me llamo"
        r"|mi(?: \w+){1,3} es|quiero|quisiera|hola soy",
        r"número|teléfono|móvil|código|cuenta|tarjeta|pin",
        r"cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve",
    ),
    "fr": _language(
        r"et|ou|mais|parce que|le|les|mon|ma|ton|ta|de|du|des|je m'appelle"
        r"|m(?:on|a)(?: \w+){1,3} est|je voudrais|bonjour je suis",
        r"numéro|téléphone|portable|code|compte|carte",
        r"zéro|un|deux|trois|quatre|cinq|six|sept|huit|neuf",
    ),
}


def breaks_off(text: str, language: str = "") -> bool:
    """Whether what was said so far, as it was understood, is only the beginning of something."""
    said = text.strip()
    if said.endswith(("...", "…", ",", "-")):
        return True
    plain = " ".join(re.sub(r"[^\w']", " ", said).split())
    if _FILLER.search(plain):
        return True
    if said.endswith("?"):
        return False
    rules = _LANGUAGES.get(language.partition("-")[0].lower(), _LANGUAGES["en"])
    return bool(rules.opens.fullmatch(plain)) or _is_part_of_a_number(plain, rules)


def is_one_word(text: str) -> bool:
    """Whether it is an answer of one word, such as "yes" or "5."."""
    return len(re.findall(r"[\w']+", text)) == 1


def _is_part_of_a_number(plain: str, rules: _Language) -> bool:
    """Digits at the end, dictated one by one or in groups, and fewer than a whole number has."""
    words = plain.split(" ")
    groups: list[str] = []
    while words and (_DIGITS.fullmatch(words[-1]) or rules.digits.fullmatch(words[-1])):
        groups.append(words.pop().removesuffix("s"))
    count = sum(len(group) if group.isdecimal() else 1 for group in groups)
    one_by_one = all(len(group) == 1 or not group.isdecimal() for group in groups)
    round_number = len(groups) == 1 and groups[0].endswith("00")
    alone = not words and count >= _GROUP and not round_number
    announced = bool(rules.numbers.search(" ".join(words)))
    dictated = (one_by_one and len(groups) >= _GROUP) or alone or (announced and count > 0)
    return dictated and count < _WHOLE
