"""Reads a language's signs and numbers aloud, by rules in the order in which they are applied."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]
"""What is looked for, and what is said instead."""

_URL = re.compile(
    r"(?<![\w@.])(?:https?://)?((?:(?:www\.|(?<=://))[\w-]{1,63}(?:\.[\w-]{1,63}){0,5}"
    r"|(?:[\w-]{1,63}\.){1,4}(?:com|org|net|edu|gov|io|ai|app|dev|info|eu|de|at|ch|es|fr|uk|us))"
    r"(?![\w@])(?::\d{1,5})?(?:[/?#][^\s<>\"]{0,300})?)"
)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}")
_ADDRESS_PART = re.compile(r"[^\W_]+|.", re.DOTALL)
_AFTER_ADDRESS = ".,;:!?)]}'\"…"

_PHONES = (
    r"\+\d{1,3}[ ./-]?(?:\(0?\d{1,5}\)[ ./-]?)?\d{1,5}(?:[ ./-]?\d{2,8}){1,5}",
    r"\(?\b\d{3}\)?[-. ]\d{3}[-. ]\d{4}",
    r"\b0\d{1,5}(?:[ /-]\d{2,8}){1,5}",
    r"\b\d{3}-\d{4}",
)
_DATE = re.compile(r"(?<![\w.-])(\d{4})-(\d{2})-(\d{2})(?:T(?=\d\d:\d\d))?(?![\w-])")
_OPERAND = r"[\w)\]%²³°]"
_NEXT_OPERAND = r"[\w(\[√$€£-]"
_SPACE = "[ \u00a0\u202f]"
_INITIALS = re.compile(r"\b([A-Z]{1,4})&([A-Z]{1,4})\b")
_LONGEST_MONTH = 31


@dataclass(frozen=True)
class Money:
    """A currency's words: one and several of it, and of its hundredth (empty: it has none)."""

    one: str
    several: str
    cent: str = ""
    cents: str = ""


@dataclass(frozen=True)
class Reading:
    """A language's way of reading.

    Args:
        decimal: the sign before the fraction of a number.
        thousands: signs between groups of three digits, as inside of a regular expression's
            brackets.
        signs: words of mathematical and other signs. `-` is the minus.
        addresses: words of signs in mail and web addresses.
        to: the word of a range (9 to 5). and_: between the units of money and its hundredths.
        money: words of each currency's sign.
        star: the word of a `*` that is no multiplication.
        date: says year, month and day.
        first: rules applied before all others but addresses. last: applied before the signs.
        phones: regular expressions of the country's telephone numbers, besides the usual ones.
    """

    decimal: str
    thousands: str
    signs: Mapping[str, str]
    addresses: Mapping[str, str]
    to: str
    and_: str
    money: Mapping[str, Money]
    star: str
    date: Callable[[int, int, int], str]
    first: Sequence[Rule] = ()
    last: Sequence[Rule] = ()
    phones: Sequence[str] = ()
    _rules: list[Rule] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self._rules.extend(
            [
                (_MAIL, self._address),
                (_URL, self._address),
                *self.first,
                (_DATE, self._date),
                *self._money_rules(),
                (self._phone_pattern(), self._phone),
                *self.last,
                *self._number_rules(),
                *self._sign_rules(),
            ]
        )

    def read(self, line: str) -> str:
        """A line of plain text as it is read aloud."""
        for pattern, words in self._rules:
            line = pattern.sub(words, line)
        return " ".join(line.split())

    def _address(self, found: re.Match[str]) -> str:
        whole = found[found.lastindex or 0]
        address = whole.rstrip(_AFTER_ADDRESS)
        words = [self.addresses.get(part, part) for part in _ADDRESS_PART.findall(address)]
        return f"{' '.join(words)}{whole[len(address) :]}"

    def _date(self, found: re.Match[str]) -> str:
        year, month, day = map(int, found.groups())
        if not (1 <= month <= 12 and 1 <= day <= _LONGEST_MONTH):
            return found[0]
        return f"{self.date(year, month, day)}{' ' if found[0].endswith('T') else ''}"

    def _number(self) -> str:
        """A regular expression of a number, with groups of three digits or without."""
        point, groups = re.escape(self.decimal), self.thousands
        return rf"(?:\d{{1,3}}(?:[{groups}]\d{{3}}){{1,6}}(?!\d)|\d+)(?:{point}\d+)?"

    def _plain(self, number: str) -> str:
        """A number without the signs between its groups."""
        return re.sub(rf"(?<=\d)[{self.thousands}](?=\d{{3}})", "", number)

    def _money_rules(self) -> list[Rule]:
        number, sign = self._number(), "|".join(map(re.escape, self.money))
        many = r"(?P<many>[kKMB]\b|(?:[mb]ill|mil|thousand|Million|Milliard|Mio|Mrd)\w*\b)"
        amount = rf"(?P<from>{number})(?:{_SPACE}?[-–—]{_SPACE}?(?P<to>{number}))?"
        big = rf"(?:{_SPACE}?{many})?"
        before = rf"(?<![\w$€£¥])(?P<minus>[-−]?)(?P<sign>{sign}){_SPACE}?{amount}{big}(?!\w)"
        behind = rf"(?<![\w.,])(?P<minus>[-−]?){amount}{big}{_SPACE}?(?P<sign>{sign})(?![\w$€£¥])"
        return [(re.compile(pattern), self._amount) for pattern in (before, behind)]

    def _amount(self, found: re.Match[str]) -> str:
        words = self.money[found["sign"]]
        amounts = [self._plain(found["from"])]
        if found["to"]:
            amounts.append(self._plain(found["to"]))
        minus = f"{self.signs['-']} " if found["minus"] else ""
        many = f" {found['many']}" if found["many"] else ""
        if len(amounts) > 1 or many:
            joined = f" {self.to} ".join(amounts)
            return f"{minus}{joined}{many} {words.several}"
        return minus + self._one_amount(amounts[0], words)

    def _one_amount(self, amount: str, words: Money) -> str:
        whole, _, part = amount.partition(self.decimal)
        several = words.one if whole == "1" else words.several
        if not part:
            return f"{_count(whole, several)}"
        if not words.cent or len(part) > 2:
            return f"{amount} {words.several}"
        cents = int(part.ljust(2, "0"))
        small = _count(str(cents), words.cent if cents == 1 else words.cents)
        if not cents:
            return _count(whole, several)
        return small if whole == "0" else f"{_count(whole, several)} {self.and_} {small}"

    def _phone_pattern(self) -> re.Pattern[str]:
        kinds = "|".join([*self.phones, *_PHONES])
        return re.compile(rf"(?<![\w.,/$€£-])(?:{kinds})(?![\w/]|[-.,]\d)")

    def _phone(self, found: re.Match[str]) -> str:
        """Digit by digit, with a breath between the groups."""
        groups = re.findall(r"\d+", found[0])
        plus = f"{self.signs['+']} " if found[0].startswith("+") else ""
        return plus + ", ".join(" ".join(group) for group in groups)

    def _number_rules(self) -> list[Rule]:
        groups = rf"(?<![\w.,])\d{{1,3}}(?:[{self.thousands}]\d{{3}}){{1,6}}(?!\d)"
        dot = self.addresses["."]
        return [
            (re.compile(groups), lambda found: self._plain(found[0])),
            (
                re.compile(r"(?<![\w.])\d+(?:\.\d+){2,}(?![\w])"),
                lambda found: found[0].replace(".", f" {dot} "),
            ),
            (re.compile(r"(?<=\d)(?:[-–—]| [–—] )(?=\d)"), f" {self.to} "),
        ]

    def _sign_rules(self) -> list[Rule]:
        """Signs between operands first, then those that stand alone."""
        minus, times = self.signs["-"], self.signs["*"]
        power = self.signs["^"]
        rules: list[Rule] = [
            (re.compile(rf"(?<={_OPERAND}) ?(?:\*\*|\^) ?(?={_NEXT_OPERAND})"), f" {power} "),
            (re.compile(r"(?:(?<=[\d)])|(?<=\b[^\W\d])) ?\* ?(?=[\d(]|[^\W\d]\b)"), f" {times} "),
            (re.compile(rf"(?<={_OPERAND}) [-−] (?=\d|\w )"), f" {minus} "),
            (re.compile(r"(?<![\w-])[-−](?=\d)"), f"{minus} "),
            (re.compile(r"−"), f" {minus} "),
            (re.compile(r"\*"), f" {self.star} "),
            (_INITIALS, lambda found: f"{' '.join(found[1])}&{' '.join(found[2])}"),
            (re.compile(r"\b([A-Z])#(?!\w)"), rf"\1 {self.signs['sharp']}"),
            (re.compile(r"#(?=\d)"), f" {self.signs['number']} "),
        ]
        for sign, word in self.signs.items():
            if len(sign) == 1 and sign not in "-*":
                rules.append((re.compile(re.escape(sign)), f" {word} "))
        rules.append((re.compile(r" +(?=[.,;:!?)](?:\s|$))"), ""))
        return rules


def _count(number: str, unit: str) -> str:
    """`3 dollars`; a unit that begins with its own one (`ein Euro`) replaces the number."""
    return unit[1:] if unit.startswith("=") else f"{number} {unit}"
