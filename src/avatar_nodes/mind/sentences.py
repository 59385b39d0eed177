"""Cuts a text that comes in pieces into sentences, each as soon as it is certain to be over."""

from __future__ import annotations

import sentencex

_LONGEST = 600
_ENGLISH = "en"


class SentenceStream:
    """`push` text as it comes; a sentence is over when the next one has begun, or at `finish`.

    Args:
        language: BCP 47; its first part chooses the rules for abbreviations and full stops.
        longest: a sentence without an end is cut at a space beyond so many characters, so that
            neither memory nor the voice waits for it.
    """

    def __init__(self, language: str = _ENGLISH, *, longest: int = _LONGEST) -> None:
        self._language = language.partition("-")[0].lower() or _ENGLISH
        self._longest = longest
        self._rest = ""

    def push(self, text: str) -> list[str]:
        """Append `text`; returns the sentences that are complete by now, without outer space."""
        self._rest += text
        parts = list(sentencex.segment(self._language, self._rest))
        whole: list[str] = []
        if len(parts) > 1 and parts[-1].strip():
            whole, self._rest = parts[:-1], parts[-1]
        while len(self._rest) > self._longest:
            whole.append(self._cut())
        return _spoken(whole)

    def finish(self) -> list[str]:
        """What is left, as sentences; the stream is empty afterwards."""
        parts, self._rest = list(sentencex.segment(self._language, self._rest)), ""
        return _spoken(parts)

    def _cut(self) -> str:
        place = self._rest.rfind(" ", 0, self._longest)
        place = self._longest if place <= 0 else place
        head, self._rest = self._rest[:place], self._rest[place:]
        return head


def split_sentences(text: str, language: str = _ENGLISH) -> list[str]:
    """The sentences of a whole text."""
    stream = SentenceStream(language)
    return stream.push(text) + stream.finish()


def _spoken(parts: list[str]) -> list[str]:
    """Without outer space, and without parts that have nothing to be spoken."""
    return [" ".join(part.split()) for part in parts if any(sign.isalnum() for sign in part)]
