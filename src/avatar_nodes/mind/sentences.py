"""Cuts a text that comes in pieces into sentences, each as soon as it is certain to be over."""

from __future__ import annotations

import re

import sentencex

from avatar_nodes.text.words import WholeSigns, clean_text, has_words

_LONGEST = 600
_ENGLISH = "en"
_ITEM = re.compile(r"\s*(?:[-*+]\s+)?\d{1,3}[.)]\s*")


class SentenceStream:
    """`push` text as it comes; a sentence is over when the next one has begun, at the end of its
    line, or at `finish`.

    Args:
        language: BCP 47; its first part chooses the rules for abbreviations and full stops.
        longest: a sentence without an end is cut at a space beyond so many characters, so that
            neither memory nor the voice waits for it.
    """

    def __init__(self, language: str = _ENGLISH, *, longest: int = _LONGEST) -> None:
        self._language = language.partition("-")[0].lower() or _ENGLISH
        self._longest = longest
        self._rest, self._signs = "", WholeSigns()

    def push(self, text: str) -> list[str]:
        """Append `text`; returns the sentences that are complete by now, without outer space."""
        *lines, self._rest = (self._rest + self._signs.push(text)).split("\n")
        whole = [part for line in lines for part in self._short(self._segments(line))]
        *parts, last = self._segments(self._rest) or [""]
        if parts and last.strip():
            whole, self._rest = whole + parts, last
        *parts, self._rest = self._short([self._rest])
        return _spoken(whole + parts)

    def finish(self) -> list[str]:
        """What is left, as sentences; the stream is empty afterwards."""
        parts, self._rest, self._signs = self._segments(self._rest), "", WholeSigns()
        return _spoken(parts)

    def _segments(self, line: str) -> list[str]:
        parts = list(sentencex.segment(self._language, line))
        if len(parts) > 1 and _ITEM.fullmatch(parts[0]):  # the number of a list's item
            parts[:2] = [parts[0] + parts[1]]
        return parts

    def _short(self, parts: list[str]) -> list[str]:
        """The same parts, cut where they are too long."""
        short = []
        for part in parts:
            rest = part
            while len(rest) > self._longest:
                place = rest.rfind(" ", 0, self._longest)
                place = self._longest if place <= 0 else place
                short.append(rest[:place])
                rest = rest[place:]
            short.append(rest)
        return short


def split_sentences(text: str, language: str = _ENGLISH) -> list[str]:
    """The sentences of a whole text."""
    stream = SentenceStream(language)
    return stream.push(text) + stream.finish()


def _spoken(parts: list[str]) -> list[str]:
    """Without outer space, and without parts that have nothing to be spoken."""
    return [" ".join(clean_text(part).split()) for part in parts if has_words(part)]
