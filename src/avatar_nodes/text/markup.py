"""Takes markup away: Markdown, HTML and SSML, each told from plain signs by where it stands."""

from __future__ import annotations

import html
import re
from typing import NamedTuple

_TAGS = (
    "a abbr audio b blockquote body br break center code dd del details div dl dt em emphasis font "
    "h1 h2 h3 h4 h5 h6 head hr html i img ins kbd lang lexicon li mark meta ol p phoneme pre "
    "prosody q s say-as samp section small span speak strong style sub summary sup table tbody td "
    "th thead title token tr tt u ul var voice w"
).split()
_TAG = re.compile(
    rf"</?(?:{'|'.join(map(re.escape, _TAGS))})(?:\s[^<>]{{0,500}})?\s?/?>|<!--[^<>]{{0,2000}}-->",
    re.IGNORECASE,
)
_AUTOLINK = re.compile(r"<(https?://[^\s<>]{1,500}|[^\s<>@]{1,80}@[^\s<>@]{1,80})>")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});")
_LINK = re.compile(r"!?\[([^\[\]]{0,500})\]\([^\s()]{0,500}(?:\s\"[^\"\n]{0,200}\")?\)")
_FENCE = re.compile(r"^[ \t]{0,20}(?:```|~~~)[`~]{0,20}[ \t]{0,20}[\w+#.-]{0,30}[ \t]{0,20}$")
_RULE = re.compile(r"^[ \t]{0,20}(?:[-*_=][ \t]?){3,200}$")
_HEADING = re.compile(r"^[ \t]{0,20}#{1,6}[ \t]+|(?<=\S)[ \t]+#{1,6}[ \t]*$")
_BULLET = re.compile(r"^[ \t]{0,20}[-*+•‣◦][ \t]+(?:\[[ xX]\][ \t]+)?(?!\d+ ?=)")
_QUOTE = re.compile(r"^[ \t]{0,20}(?:>[ \t]{0,3}){1,10}(?=[^\d\s=]|$)")
_TABLE_ROW = re.compile(r"^[ \t]{0,20}\|(.*)\|[ \t]{0,20}$")
_CELL_EDGE = re.compile(r"[ \t]*\|[ \t]*")
_RUN = re.compile(r"\*+|_+|~~+|`+")


class _Run(NamedTuple):
    """A run of one sign that may mark the words beside it."""

    start: int
    end: int
    sign: str
    opens: bool
    closes: bool


def without_markup(text: str) -> str:
    """`text` without markup, line by line; a sign in the middle of words or sums stays.

    Takes time in proportion to the length of the text.
    """
    text = _LINK.sub(r"\1", _AUTOLINK.sub(r"\1", text))
    text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), _TAG.sub(" ", text))
    return "\n".join(_line(line) for line in text.split("\n"))


def _line(line: str) -> str:
    if _FENCE.match(line) or _RULE.match(line):
        return ""
    line = _HEADING.sub("", _BULLET.sub("", _QUOTE.sub("", line)))
    row = _TABLE_ROW.match(line)
    if row is not None:
        line = _CELL_EDGE.sub(", ", row[1].strip())
    return _without_emphasis(line)


def _without_emphasis(line: str) -> str:
    """Pairs of runs around words go; so do the rests of pairs that the end of a sentence parted."""
    runs = [_run(line, found.start(), found.end()) for found in _RUN.finditer(line)]
    gone = [_goes_alone(line, run) for run in runs]
    waiting: dict[str, list[int]] = {}
    for index, run in enumerate(runs):
        stack = waiting.setdefault(run.sign, [])
        if run.closes and stack:
            gone[index] = gone[stack.pop()] = True
        elif run.opens:
            stack.append(index)
    kept, place = [], 0
    for run, goes in zip(runs, gone, strict=True):
        if goes:
            kept.append(line[place : run.start])
            place = run.end
    return "".join(kept) + line[place:]


def _run(line: str, start: int, end: int) -> _Run:
    before, after = _beside(line, start, end)
    code = line[start] == "`"
    opens = not after.isspace() and (code or not before.isalnum())
    closes = not before.isspace() and (code or not after.isalnum())
    return _Run(start, end, line[start], opens, closes)


def _goes_alone(line: str, run: _Run) -> bool:
    before, after = _beside(line, run.start, run.end)
    if run.sign == "`":
        return True
    if run.sign == "_":
        return run.end - run.start > 1 and not (before.isalnum() and after.isalnum())
    beside_letters = before.isalpha() or after.isalpha()
    if run.sign == "*" and run.end - run.start == 1:
        return before.isspace() and after.isalpha()
    return beside_letters or (run.sign == "*" and (run.opens != run.closes))


def _beside(line: str, start: int, end: int) -> tuple[str, str]:
    before = line[start - 1] if start else " "
    return before, line[end] if end < len(line) else " "
