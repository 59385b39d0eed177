"""Spanish read aloud."""

from __future__ import annotations

import re

from avatar_nodes.text.reading import Money, Reading

_MONTHS = (
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
).split()
_ORDINALS = "primer segund tercer cuart quint sext séptim octav noven décim".split()
_HOURS = {1: "una", 21: "veintiuna"}
_DAY = r"(3[01]|[12]\d|0?[1-9])"


def _date(year: int, month: int, day: int) -> str:
    return f"{day} de {_MONTHS[month - 1]} de {year}"


def _time(found: re.Match[str]) -> str:
    hour, minute = int(found[1]), int(found[2])
    said = _HOURS.get(hour, str(hour))
    return f"{said} y {minute}" if minute else f"{said} en punto"


def _ordinal(found: re.Match[str]) -> str:
    number = int(found[1])
    if not 1 <= number <= len(_ORDINALS):
        return found[0]
    ending = {"º": "o", "ª": "a"}.get(found[2], "")
    return _ORDINALS[number - 1] + ending


SPANISH = Reading(
    decimal=",",
    thousands=".\u00a0\u202f",
    to="a",
    and_="con",
    star="asterisco",
    date=_date,
    signs={
        "+": "más", "-": "menos", "*": "por", "×": "por", "·": "por", "÷": "dividido por",
        "=": "igual a", "<": "menor que", ">": "mayor que", "≤": "menor o igual que",
        "≥": "mayor o igual que", "≠": "distinto de", "≈": "aproximadamente", "±": "más o menos",
        "√": "raíz de", "^": "elevado a", "²": "al cuadrado", "³": "al cubo",
        "%": "por ciento", "&": "y", "@": "arroba", "#": "almohadilla", "/": "barra",
        "\\": "barra invertida", "_": "guion bajo", "~": "aproximadamente", "°": "grados",
        "§": "párrafo", "$": "dólar", "€": "euro", "£": "libra", "¥": "yen",
        "sharp": "sharp", "number": "número",
    },
    addresses={
        "@": "arroba", ".": "punto", "_": "guion bajo", "-": "guion", "/": "barra",
        "#": "almohadilla", ":": "dos puntos", "?": "interrogación", "=": "igual", "&": "y",
        "+": "más", "~": "virgulilla", "%": "por ciento",
    },
    money={
        "$": Money("=un dólar", "dólares", "=un centavo", "centavos"),
        "€": Money("=un euro", "euros", "=un céntimo", "céntimos"),
        "£": Money("=una libra", "libras", "=un penique", "peniques"),
        "¥": Money("=un yen", "yenes"),
    },
    phones=[r"\b[6789]\d{2}(?:[ -]\d{3}){2}", r"\b[6789]\d{2}(?:[ -]\d{2}){3}"],
    first=[
        (
            re.compile(rf"(?<![\w/]){_DAY}[/.-](1[0-2]|0?[1-9])[/.-](\d{{4}})(?![\w/])"),
            lambda found: _date(int(found[3]), int(found[2]), int(found[1])),
        ),
        (re.compile(r"(?<![\w.,:])([01]?\d|2[0-4])[:.]([0-5]\d)\s?h\b\.?"), _time),
        (re.compile(r"(?<![\w.,:])([01]?\d|2[0-4]):([0-5]\d)(?![\w:])"), _time),
        (re.compile(r"\b(\d{1,2})\.?([ºª])"), _ordinal),
        (re.compile(r"\b([13])\.?(er)\b"), _ordinal),
        (re.compile(r"\b[Nn]\.?º\.?\s?(?=\d)"), "número "),
        (re.compile(r"\b[Nn]úm\."), "número"),
        (re.compile(r"\bp\.\s?ej\."), "por ejemplo"),
        (re.compile(r"\bEE\.\s?UU\.?"), "Estados Unidos"),
        (re.compile(r"\bSr\."), "señor"),
        (re.compile(r"\bSra\."), "señora"),
        (re.compile(r"\bDr\."), "doctor"),
        (re.compile(r"\bDra\."), "doctora"),
        (re.compile(r"\b(?:Ud|Vd)\."), "usted"),
        (re.compile(r"\b(?:Uds|Vds)\."), "ustedes"),
        (re.compile(r"\betc\.(?=\s[^\WA-Z])"), "etcétera"),
        (re.compile(r"\betc\."), "etcétera."),
        (re.compile(r"\bpág\."), "página"),
        (re.compile(r"\baprox\."), "aproximadamente"),
        (re.compile(r"(?<=\d)\s?km/h\b"), " kilómetros por hora"),
        (re.compile(r"(?<=\d)\s?°\s?C\b"), " grados Celsius"),
        (re.compile(r"(?<=\d)\s?km\b"), " kilómetros"),
        (re.compile(r"(?<=\d)\s?kg\b"), " kilos"),
        (re.compile(r"(?<=\d)\s?cm\b"), " centímetros"),
        (re.compile(r"(?<![\w/.,])1/2(?![\w/])"), "un medio"),
        (re.compile(r"(?<![\w/.,])1/4(?![\w/])"), "un cuarto"),
        (re.compile(r"(?<![\w/.,])3/4(?![\w/])"), "tres cuartos"),
    ],
)  # fmt: skip
