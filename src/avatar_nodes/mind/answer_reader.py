"""Reads a chat model's answer while it is written: the JSON object that it was asked for, or plain
text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import jiter

from avatar_nodes.mind.spoken_part import SpokenPart
from avatar_nodes.text.words import has_words

_FENCE = re.compile(r"```(?:json)?\s*", re.IGNORECASE)
_OBJECT = re.compile(r"\{\s*[\"']")
_CONTROL = dict.fromkeys(range(32), " ")
_JSON = json.JSONDecoder()


class MalformedAnswerError(ValueError):
    """Text that holds no answer; `problem` is one word for counting."""

    def __init__(self, detail: str, problem: str = "malformed") -> None:
        super().__init__(detail)
        self.problem = problem


@dataclass(frozen=True)
class Answer:
    """An answer as far as it was read. A prompt is None until it is complete, or where there is
    none; `reply` is what is there of it; `whole`: nothing that matters can follow."""

    action_prompt: str | None = None
    reply: str = ""
    reply_complete: bool = False
    stable_prompt: str | None = None
    whole: bool = False


@dataclass
class Habits:
    """What a model's answers were like so far, by which the next is read while it is written."""

    plain: bool = False
    """The last one was plain text, without an object."""
    unmarked_thoughts: bool = False
    """Thoughts came without a mark at their beginning: only the one at their end tells."""


class AnswerReader:
    """Takes an answer piece by piece, and keeps `habits` up to date.

    An answer that begins with its object, or a code fence, is read as it comes. What begins
    otherwise may be a thought or a preface until its end: then its last complete object with a
    reply counts, and where there is no object the text itself is the reply. Plain text is read as
    it comes where the model's last answer was plain, too.
    """

    def __init__(self, habits: Habits | None = None) -> None:
        self._habits = habits or Habits()
        self._part = SpokenPart()
        self.thoughts_apart = False
        """The server itself tells thoughts from the answer."""

    def push(self, piece: str) -> Answer:
        """Append a piece; returns what is known by now."""
        self._part.push(piece)
        text = self._text
        if self._may_be_thought:
            return Answer()
        if text.startswith("{"):
            return _first_object(text)
        if self._habits.plain and not text.startswith(("`", "[")) and "{" not in text:
            return Answer(reply=text)
        return Answer()

    def finish(self) -> Answer:
        """What is known when no more text comes.

        Raises:
            MalformedAnswerError: there is no answer in it, or it says nothing.
        """
        self._part.finish()
        self._habits.unmarked_thoughts |= self._part.begun_anew > 0
        text = self._text
        answer = _last_object(text)
        self._habits.plain = answer is None and self._is_plain
        if answer is not None:
            return answer
        if self._is_plain:
            return Answer(reply=text, reply_complete=True, whole=True)
        if self._part.tool:
            raise MalformedAnswerError("it called a tool, though none was offered", "tool")
        seen = text.strip()[:60]
        raise MalformedAnswerError(f"no answer in {seen!r}" if seen else "no text at all")

    def cut_off(self) -> Answer:
        """What is known of an answer that was cut off; its last sentence may not be whole.

        Raises:
            MalformedAnswerError: nothing of it is certain to be the answer.
        """
        self._part.finish()
        text = self._text
        answer = _last_object(text) or _first_object(text)
        if not answer.reply and self._is_plain and (self._is_marked or self._habits.plain):
            answer = Answer(reply=text)
        if not answer.reply or self._may_be_thought:
            raise MalformedAnswerError("it was cut off before the answer", "cut_off")
        return answer

    @property
    def _text(self) -> str:
        text = self._part.text.lstrip()
        fence = _FENCE.match(text)
        return text[fence.end() :] if fence else text

    @property
    def _is_marked(self) -> bool:
        return self._part.marked or self.thoughts_apart

    @property
    def _may_be_thought(self) -> bool:
        return self._habits.unmarked_thoughts and not self._is_marked

    @property
    def _is_plain(self) -> bool:
        """What is not even meant as an object."""
        text = self._text
        if self._part.tool or text.startswith("{") or _OBJECT.search(text):
            return False
        return has_words(text)


def _first_object(text: str) -> Answer:
    """The first object with a reply, as far as it is there; others before it are passed over."""
    text = text.translate(_CONTROL)
    start = 0
    while "}" in text[start:]:
        value, end = _object_at(text, start)
        if value is None:
            break
        if (answer := _answer_of(value)) is not None:
            return answer
        start = text.find("{", end)
        if start < 0:
            return Answer()
    written = text[start:].encode(errors="surrogatepass")
    try:
        complete = jiter.from_json(written, partial_mode="on")
        partial = jiter.from_json(written, partial_mode="trailing-strings")
    except ValueError:
        return Answer()
    return Answer(
        action_prompt=_text_of(complete, "action_prompt"),
        reply=_text_of(partial, "reply") or "",
        reply_complete=_text_of(complete, "reply") is not None,
        stable_prompt=_text_of(complete, "stable_prompt"),
    )


def _last_object(text: str) -> Answer | None:
    """The last complete object with a reply."""
    text, last = text.translate(_CONTROL), None
    start = text.find("{") if "}" in text else -1
    while start >= 0:
        value, end = _object_at(text, start)
        last = (value is not None and _answer_of(value)) or last
        start = text.find("{", end)
    return last


def _object_at(text: str, start: int) -> tuple[object | None, int]:
    """The object that begins there, and where it ends; None: none that is complete."""
    try:
        return _JSON.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None, start + 1


def _answer_of(value: object) -> Answer | None:
    """A complete object as an answer; None: it says nothing."""
    reply = _text_of(value, "reply")
    if reply is None or not has_words(reply):
        return None
    return Answer(
        action_prompt=_text_of(value, "action_prompt"),
        reply=reply,
        reply_complete=True,
        stable_prompt=_text_of(value, "stable_prompt"),
        whole=True,
    )


def _text_of(value: object, key: str) -> str | None:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
