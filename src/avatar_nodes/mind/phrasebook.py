"""Holds what the persona says of its own: the replies of its intents, and its fallbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Literal

from avatar_nodes.mind.persona import IntentEntry, Persona
from avatar_nodes.mind.reasoner import Intention, Request, Sentence
from avatar_nodes.mind.reply_template import PARTS_OF_DAY, clock_values, fill_template
from avatar_nodes.mind.rotation import Rotation
from avatar_nodes.mind.sentences import split_sentences

Fallback = Literal["unknown", "pardon", "trouble"]


def standing_sentences(persona: Persona) -> list[str]:
    """The sentences that the persona says in the same words each time, each once: those of replies
    without a clock or the visitor in them; a part of the day in each of its three forms."""
    fallback = persona.fallback
    replies = [reply for intent in persona.intents for reply in intent.replies]
    sentences: dict[str, None] = {}
    for reply in (*fallback.pardon, *fallback.unknown, *fallback.trouble, *replies):
        for part_of_day in PARTS_OF_DAY:
            text = fill_template(reply, {"name": persona.name, "part_of_day": part_of_day})
            sentences |= dict.fromkeys(split_sentences(text or "", persona.language))
    return list(sentences)


class Phrasebook:
    """Replies in words, filled in and rotated; one thread at a time.

    Args:
        seed: the same one gives the same words for the same intents in the same order; -1: chance.
        clock: gives the local time; for tests.
    """

    def __init__(
        self,
        persona: Persona,
        *,
        seed: int = -1,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.persona = persona
        self._rotation = Rotation(seed if seed >= 0 else None)
        self._clock = clock

    def answer(
        self, intent: IntentEntry, request: Request, confidence: float
    ) -> Iterator[Intention | Sentence]:
        """The reply of an intent, or the fallback `unknown` when none of its replies can be filled
        in."""
        text = self._say(f"intent {intent.name}", intent.replies, request)
        if text is None:
            yield from self.fallback("unknown", request, confidence)
            return
        yield self._intention(intent.action, intent.after, intent.name, confidence)
        yield from self._sentences(text)

    def fallback(
        self, kind: Fallback, request: Request, confidence: float | None = None
    ) -> Iterator[Intention | Sentence]:
        """A fallback answer."""
        fallback = self.persona.fallback
        yield self._intention(fallback.action, "", kind, confidence)
        yield from self.fallback_words(kind, request)

    def fallback_words(self, kind: Fallback, request: Request) -> Iterator[Sentence]:
        """The words of a fallback answer alone."""
        text = self._say(f"fallback {kind}", getattr(self.persona.fallback, kind), request)
        yield from self._sentences(text or "")

    def _say(self, key: str, replies: Sequence[str], request: Request) -> str | None:
        formats = self.persona.formats
        values = clock_values(self._clock(), time_format=formats.time, date_format=formats.date) | {
            "name": self.persona.name,
            "utterance": request.utterance,
            "last_reply": request.dialogue[-1].reply if request.dialogue else "",
        }
        possible = [reply for reply in replies if fill_template(reply, values) is not None]
        if not possible:
            return None
        return fill_template(self._rotation.next(key, possible), values)

    def _intention(self, action: str, after: str, name: str, confidence: float | None) -> Intention:
        gesture, stable = self.persona.action(action), self.persona.action(after)
        return Intention(
            action_prompt=gesture.prompt if gesture else self.persona.states.speaking,
            stable_prompt=stable.prompt if stable else self.persona.states.idle,
            seconds=gesture.seconds if gesture else 0.0,
            name=name,
            confidence=confidence,
        )

    def _sentences(self, text: str) -> Iterator[Sentence]:
        for sentence in split_sentences(text, self.persona.language):
            yield Sentence(sentence)
