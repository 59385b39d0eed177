"""English read aloud."""

from __future__ import annotations

import re

from avatar_nodes.text.reading import Money, Reading

_MONTHS = (
    "January February March April May June July August September October November December"
).split()
_NAMES = "|".join(f"{month}|{month[:3]}\\b\\.?" for month in _MONTHS)
_DAY = r"(3[01]|[12]\d|0?[1-9])"


def _ordinal(number: int) -> str:
    tail = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{tail or 'th'}"


def _date(year: int, month: int, day: int) -> str:
    return f"{_MONTHS[month - 1]} {_ordinal(day)}, {year}"


def _month(name: str) -> str:
    return next(month for month in _MONTHS if month.startswith(name.rstrip(".")[:3]))


def _slashed_date(found: re.Match[str]) -> str:
    month, day, year = map(int, found.groups())
    if month > 12:
        month, day = day, month
    return _date(year, month, day) if month <= 12 else found[0]


def _time(found: re.Match[str]) -> str:
    hour, minute, half = int(found[1]), int(found[2]), found[3]
    if hour > 24 or minute > 59:
        return found[0]
    words = f"{hour} {minute}" if minute > 9 else f"{hour} oh {minute}"
    if not minute:
        words = f"{hour}" if half else f"{hour} o'clock"
    return f"{words} {half[0].upper()}M" if half else words


ENGLISH = Reading(
    decimal=".",
    thousands=",",
    to="to",
    and_="and",
    star="star",
    date=_date,
    signs={
        "+": "plus", "-": "minus", "*": "times", "×": "times", "·": "times", "÷": "divided by",
        "=": "equals", "<": "is less than", ">": "is greater than", "≤": "is at most",
        "≥": "is at least", "≠": "is not", "≈": "is about", "±": "plus or minus",
        "√": "the square root of", "^": "to the power of", "²": "squared", "³": "cubed",
        "%": "percent", "&": "and", "@": "at", "#": "hash", "/": "slash", "\\": "backslash",
        "_": "underscore", "~": "about", "°": "degrees", "§": "section", "$": "dollar",
        "€": "euro", "£": "pound", "¥": "yen", "sharp": "sharp", "number": "number",
    },
    addresses={
        "@": "at", ".": "dot", "_": "underscore", "-": "dash", "/": "slash", "#": "hash",
        ":": "colon", "?": "question mark", "=": "equals", "&": "and", "+": "plus", "~": "tilde",
        "%": "percent",
    },
    money={
        "$": Money("dollar", "dollars", "cent", "cents"),
        "€": Money("euro", "euros", "cent", "cents"),
        "£": Money("pound", "pounds", "penny", "pence"),
        "¥": Money("yen", "yen"),
        "₹": Money("rupee", "rupees", "paisa", "paise"),
    },
    first=[
        (re.compile(rf"(?<![\w/])(\d{{1,2}})/{_DAY}/(\d{{4}})(?![\w/])"), _slashed_date),
        (
            re.compile(r"(?<![\w:.])(\d{1,2}):(\d{2})(?:\s?([AaPp])\.?[Mm]\b\.?)?(?![\w:])"),
            _time,
        ),
        (
            re.compile(r"(?<![\w:.])(\d{1,2})\s?([AaPp])\.?[Mm]\b\.?(?=\s+[^\WA-Z]|[,;!?)]|$)"),
            lambda found: f"{found[1]} {found[2].upper()}M",
        ),
        (
            re.compile(rf"\b(?<!in )({_NAMES})\s{_DAY}\b(?![:.,/-]\d)"),
            lambda found: f"{_month(found[1])} {_ordinal(int(found[2]))}",
        ),
        (
            re.compile(rf"(?<![\w.,:/-]){_DAY}\s({_NAMES})(?=\s\d{{4}}|\W|$)"),
            lambda found: f"{_ordinal(int(found[1]))} {_month(found[2])}",
        ),
        (re.compile(r"\b[Nn]o\.\s?(?=\d)"), "number "),
        (re.compile(r"\be\.\s?g\."), "for example"),
        (re.compile(r"\bi\.\s?e\."), "that is"),
        (re.compile(r"\betc\.(?=\s[^\WA-Z])"), "et cetera"),
        (re.compile(r"\bvs\.?(?=\s)"), "versus"),
        (re.compile(r"\bapprox\."), "approximately"),
        (re.compile(r"(?<=\d)\s?km/h\b"), " kilometers per hour"),
        (re.compile(r"(?<=\d)\s?mph\b"), " miles per hour"),
        (re.compile(r"(?<=\d)\s?°\s?C\b"), " degrees Celsius"),
        (re.compile(r"(?<=\d)\s?°\s?F\b"), " degrees Fahrenheit"),
        (re.compile(r"(?<=\d)\s?km\b"), " kilometers"),
        (re.compile(r"(?<=\d)\s?kg\b"), " kilograms"),
        (re.compile(r"(?<=\d)\s?cm\b"), " centimeters"),
        (re.compile(r"(?<=\d)\s?mm\b"), " millimeters"),
        (re.compile(r"(?<![\w/.,])1/2(?![\w/])"), "one half"),
        (re.compile(r"(?<![\w/.,])1/4(?![\w/])"), "one quarter"),
        (re.compile(r"(?<![\w/.,])3/4(?![\w/])"), "three quarters"),
        (re.compile(r"(?<![\w/.,])1/3(?![\w/])"), "one third"),
        (re.compile(r"(?<![\w/.,])2/3(?![\w/])"), "two thirds"),
    ],
)  # fmt: skip
"""In the American way where it differs from the British one."""
