"""French read aloud."""

from __future__ import annotations

import re

from avatar_nodes.text.reading import Money, Reading

_MONTHS = (
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
).split()
_ORDINALS = (
    "premier deuxième troisième quatrième cinquième sixième septième huitième neuvième dixième "
    "onzième douzième treizième quatorzième quinzième seizième dix-septième dix-huitième "
    "dix-neuvième vingtième vingt-et-unième"
).split()
_HOURS = {1: "une heure", 21: "vingt et une heures"}
_DAY = r"(3[01]|[12]\d|0?[1-9])"


def _date(year: int, month: int, day: int) -> str:
    return f"{'premier' if day == 1 else day} {_MONTHS[month - 1]} {year}"


def _time(found: re.Match[str]) -> str:
    hour, minute = int(found[1]), int(found[2] or 0)
    said = _HOURS.get(hour, f"{hour} heures")
    return f"{said} {minute}" if minute else said


def _ordinal(found: re.Match[str]) -> str:
    number = int(found[1])
    return _ORDINALS[number - 1] if 2 <= number <= len(_ORDINALS) else found[0]


FRENCH = Reading(
    decimal=",",
    thousands=" .\u00a0\u202f",
    to="à",
    and_="et",
    star="étoile",
    date=_date,
    signs={
        "+": "plus", "-": "moins", "*": "fois", "×": "fois", "·": "fois", "÷": "divisé par",
        "=": "égale", "<": "inférieur à", ">": "supérieur à", "≤": "inférieur ou égal à",
        "≥": "supérieur ou égal à", "≠": "différent de", "≈": "environ", "±": "plus ou moins",
        "√": "racine de", "^": "puissance", "²": "au carré", "³": "au cube",
        "%": "pour cent", "&": "et", "@": "arobase", "#": "dièse", "/": "barre oblique",
        "\\": "barre oblique inverse", "_": "tiret bas", "~": "environ", "°": "degrés",
        "§": "paragraphe", "$": "dollar", "€": "euro", "£": "livre", "¥": "yen",
        "sharp": "sharp", "number": "numéro",
    },
    addresses={
        "@": "arobase", ".": "point", "_": "tiret bas", "-": "tiret", "/": "barre oblique",
        "#": "dièse", ":": "deux points", "?": "point d'interrogation", "=": "égale", "&": "et",
        "+": "plus", "~": "tilde", "%": "pour cent",
    },
    money={
        "$": Money("=un dollar", "dollars", "=un cent", "cents"),
        "€": Money("=un euro", "euros", "=un centime", "centimes"),
        "£": Money("=une livre", "livres", "=un penny", "pence"),
        "¥": Money("=un yen", "yens"),
    },
    first=[
        (
            re.compile(rf"(?<![\w/]){_DAY}[/.-](1[0-2]|0?[1-9])[/.-](\d{{4}})(?![\w/])"),
            lambda found: _date(int(found[3]), int(found[2]), int(found[1])),
        ),
        (re.compile(r"(?<![\w.,:])([01]?\d|2[0-4])\s?[hH]\s?([0-5]\d)?(?!\w)"), _time),
        (re.compile(r"(?<![\w.,:])([01]?\d|2[0-4]):([0-5]\d)(?![\w:])"), _time),
        (re.compile(r"\b1er\b"), "premier"),
        (re.compile(r"\b1(?:re|ère)\b"), "première"),
        (re.compile(r"\b2nd(e?)\b"), r"second\1"),
        (re.compile(r"\b(\d{1,2})(?:e|ème|ième)\b"), _ordinal),
        (re.compile(r"\b[Nn][°º]\s?(?=\d)"), "numéro "),
        (re.compile(r"\bM\.(?= [A-ZÀ-Ý])"), "monsieur"),
        (re.compile(r"\bMM\.(?= [A-ZÀ-Ý])"), "messieurs"),
        (re.compile(r"\bMme\b\.?"), "madame"),
        (re.compile(r"\bMlle\b\.?"), "mademoiselle"),
        (re.compile(r"\bDr\b\.?(?= [A-ZÀ-Ý])"), "docteur"),
        (re.compile(r"\bp\.\s?ex\."), "par exemple"),
        (re.compile(r"\bc\.?-à-d\."), "c'est-à-dire"),
        (re.compile(r"\betc\.(?=\s[^\WA-Z])"), "et cetera"),
        (re.compile(r"\benv\."), "environ"),
        (re.compile(r"(?<=\d)\s?km/h\b"), " kilomètres à l'heure"),
        (re.compile(r"(?<=\d)\s?°\s?C\b"), " degrés Celsius"),
        (re.compile(r"(?<=\d)\s?km\b"), " kilomètres"),
        (re.compile(r"(?<=\d)\s?kg\b"), " kilos"),
        (re.compile(r"(?<=\d)\s?cm\b"), " centimètres"),
        (re.compile(r"(?<![\w/.,])1/2(?![\w/])"), "un demi"),
        (re.compile(r"(?<![\w/.,])1/4(?![\w/])"), "un quart"),
        (re.compile(r"(?<![\w/.,])3/4(?![\w/])"), "trois quarts"),
    ],
)  # fmt: skip
