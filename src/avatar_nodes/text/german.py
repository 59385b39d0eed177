"""German read aloud."""

from __future__ import annotations

import re

from avatar_nodes.text.reading import Money, Reading

_MONTHS = (
    "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
).split()
_DAY = r"(3[01]|[12]\d|0?[1-9])"
_SMALL = (
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn "
    "sechzehn siebzehn achtzehn neunzehn"
).split()
_TENS = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
_IRREGULAR = {1: "erst", 3: "dritt", 7: "siebt", 8: "acht"}
_BEFORE = r"(?:\b(?P<before>[A-Za-zäöü]+)\s+)?(?:\b(?P<article>[A-Za-zäöü]+)\s+)?"
_WEAK_N = "am vom zum zur beim im dem den des bis ab seit".split()
_WEAK = "der die das".split()
_DATIVE = "in an auf mit von zu bei nach aus unter vor".split()


def _ordinal(number: int, article: str = "", before: str = "") -> str:
    """1..99 as a word, with the ending that the words before it ask for."""
    article, before = article.lower(), before.lower()
    ending = "er"
    if article in _WEAK_N or (article == "der" and before in _DATIVE):
        ending = "en"
    elif article in _WEAK:
        ending = "e"
    if number in _IRREGULAR:
        return _IRREGULAR[number] + ending
    if number < len(_SMALL):
        return f"{_SMALL[number]}t{ending}"
    ones = f"{_SMALL[number % 10]}und" if number % 10 else ""
    return f"{ones}{_TENS[number // 10 - 2]}st{ending}"


def _year(year: int) -> str:
    if 1100 <= year < 2000:
        return f"{year // 100} hundert {year % 100}" if year % 100 else f"{year // 100} hundert"
    return str(year)


def _counted(found: re.Match[str]) -> str:
    """An ordinal number behind up to two words; before a month or a noun."""
    words = [word for word in (found["before"], found["article"]) if word]
    article = words[-1] if words else ""
    number = int(found["number"])
    if not number:
        return found[0]
    known = article.lower() in (*_WEAK_N, *_WEAK)
    if not known and not found["month"]:
        return found[0]
    said = _ordinal(number, article, words[-2] if len(words) > 1 else "")
    return " ".join([*words, said])


def _date(found: re.Match[str]) -> str:
    words = [word for word in (found["before"], found["article"]) if word]
    day, month = int(found["day"]), int(found["month"])
    if month > 12:
        return found[0]
    said = _ordinal(day, *reversed(words)) if words else _ordinal(day)
    year = f" {_year(int(found['year']))}" if found["year"] else ""
    return " ".join([*words, f"{said} {_MONTHS[month - 1]}{year}"])


def _time(hour: str, minute: str) -> str:
    said = "ein" if int(hour) == 1 else str(int(hour))
    return f"{said} Uhr {int(minute)}" if int(minute) else f"{said} Uhr"


GERMAN = Reading(
    decimal=",",
    thousands=".'\u00a0\u202f",
    to="bis",
    and_="und",
    star="Stern",
    date=lambda year, month, day: f"{_ordinal(day)} {_MONTHS[month - 1]} {_year(year)}",
    signs={
        "+": "plus", "-": "minus", "*": "mal", "×": "mal", "·": "mal", "÷": "geteilt durch",
        "=": "gleich", "<": "kleiner als", ">": "größer als", "≤": "höchstens", "≥": "mindestens",
        "≠": "ungleich", "≈": "ungefähr", "±": "plus minus", "√": "Wurzel aus", "^": "hoch",
        "²": "Quadrat", "³": "hoch drei", "%": "Prozent", "&": "und", "@": "at", "#": "Raute",
        "/": "Schrägstrich", "\\": "Backslash", "_": "Unterstrich", "~": "ungefähr",
        "°": "Grad", "§": "Paragraf", "$": "Dollar", "€": "Euro", "£": "Pfund", "¥": "Yen",
        "sharp": "sharp", "number": "Nummer",
    },
    addresses={
        "@": "at", ".": "Punkt", "_": "Unterstrich", "-": "Minus", "/": "Schrägstrich",
        "#": "Raute", ":": "Doppelpunkt", "?": "Fragezeichen", "=": "gleich", "&": "und",
        "+": "plus", "~": "Tilde", "%": "Prozent",
    },
    money={
        "$": Money("=ein Dollar", "Dollar", "=ein Cent", "Cent"),
        "€": Money("=ein Euro", "Euro", "=ein Cent", "Cent"),
        "£": Money("=ein Pfund", "Pfund", "=ein Penny", "Pence"),
        "¥": Money("=ein Yen", "Yen"),
    },
    phones=[r"0\d{2,5}[ /-]\d{3,8}(?:-\d{1,5})?"],
    first=[
        (
            re.compile(
                rf"{_BEFORE}(?<![\w.,]){_DAY.replace('(', '(?P<day>', 1)}\.\s?"
                r"(?P<month>1[0-2]|0?[1-9])\.(?:\s?(?P<year>\d{4})(?![\w]))?(?!\d)(?! ?Uhr)"
            ),
            _date,
        ),
        (
            re.compile(rf"{_BEFORE}(?<![\w-])(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>[0-3]\d)"
                       r"(?![\w-])"),
            _date,
        ),
        (
            re.compile(r"(?<![\w.,:])([01]?\d|2[0-4])[.:]([0-5]\d)\s?[-–]\s?"
                       r"([01]?\d|2[0-4])[.:]([0-5]\d)\s?Uhr\b"),
            lambda found: f"{_time(found[1], found[2])} bis {_time(found[3], found[4])}",
        ),
        (
            re.compile(r"(?<![\w.,:])([01]?\d|2[0-4])[.:]([0-5]\d)\s?Uhr\b"),
            lambda found: _time(found[1], found[2]),
        ),
        (
            re.compile(r"(?<![\w.,:])([01]?\d|2[0-4]):([0-5]\d)(?![\w:])"),
            lambda found: _time(found[1], found[2]),
        ),
        (re.compile(r"(?<![\w.,:-])1 Uhr\b"), "ein Uhr"),
        (
            re.compile(rf"{_BEFORE}(?<![\w.,:])(?P<number>\d{{1,2}})\."
                       rf"(?=\s+(?P<month>{'|'.join(_MONTHS)})\b|\s+[A-ZÄÖÜ])"),
            _counted,
        ),
        (
            re.compile(rf"\b({'|'.join(_MONTHS)}) (1[1-9]\d\d)\b"),
            lambda found: f"{found[1]} {_year(int(found[2]))}",
        ),
        (re.compile(r"\bz\.\s?B\."), "zum Beispiel"),
        (re.compile(r"\bZ\.\s?B\."), "Zum Beispiel"),
        (re.compile(r"\bd\.\s?h\."), "das heißt"),
        (re.compile(r"\bu\.\s?a\."), "unter anderem"),
        (re.compile(r"\bu\.\s?U\."), "unter Umständen"),
        (re.compile(r"\bz\.\s?T\."), "zum Teil"),
        (re.compile(r"\bbzw\."), "beziehungsweise"),
        (re.compile(r"\busw\.(?=\s[^\WA-ZÄÖÜ])"), "und so weiter"),
        (re.compile(r"\busw\."), "und so weiter."),
        (re.compile(r"\bca\."), "circa"),
        (re.compile(r"\bggf\."), "gegebenenfalls"),
        (re.compile(r"\bevtl\."), "eventuell"),
        (re.compile(r"\binkl\."), "inklusive"),
        (re.compile(r"\bNr\."), "Nummer"),
        (re.compile(r"\bDr\."), "Doktor"),
        (re.compile(r"\bProf\."), "Professor"),
        (re.compile(r"\bHr\."), "Herr"),
        (re.compile(r"\bFr\.(?= [A-ZÄÖÜ])"), "Frau"),
        (re.compile(r"\bTel\."), "Telefon"),
        (re.compile(r"\bMio\."), "Millionen"),
        (re.compile(r"\bMrd\."), "Milliarden"),
        (re.compile(r"(?<=[a-zäöü])str\.(?=\s?\d)"), "straße"),
        (re.compile(r"(?<=\d)\s?km/h\b"), " Kilometer pro Stunde"),
        (re.compile(r"(?<=\d)\s?°\s?C\b"), " Grad Celsius"),
        (re.compile(r"(?<=\d)\s?km\b"), " Kilometer"),
        (re.compile(r"(?<=\d)\s?kg\b"), " Kilogramm"),
        (re.compile(r"(?<=\d)\s?cm\b"), " Zentimeter"),
        (re.compile(r"(?<=\d)\s?m²"), " Quadratmeter"),
        (re.compile(r"(?<![\w/.,])1/2(?![\w/])"), "ein halb"),
        (re.compile(r"(?<![\w/.,])1/4(?![\w/])"), "ein Viertel"),
        (re.compile(r"(?<![\w/.,])3/4(?![\w/])"), "drei Viertel"),
    ],
)  # fmt: skip
