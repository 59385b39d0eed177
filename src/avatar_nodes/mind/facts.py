"""Which of a persona's answers concern a question: they go to a chat model with it."""

from __future__ import annotations

import math
import re
from collections import Counter

from avatar_nodes.mind.persona import Persona

_AT_MOST = 4
_TEMPLATE = re.compile(r"\{[^{}]*\}")


class PersonaFacts:
    """The answers of a persona's intents, found by the words that a question shares with the
    intent's examples and replies; rare words count more."""

    def __init__(self, persona: Persona) -> None:
        said = {
            intent.name: [reply for reply in intent.replies if not _TEMPLATE.search(reply)]
            for intent in persona.intents
        }
        self._replies = {name: replies for name, replies in said.items() if replies}
        texts = {
            intent.name: [*intent.examples, *intent.replies]
            for intent in persona.intents
            if intent.name in self._replies
        }
        self._words = {name: _words(" ".join(lines)) for name, lines in texts.items()}
        in_how_many = Counter(word for words in self._words.values() for word in words)
        intents = len(self._words)
        self._weights = {word: math.log(intents / count) for word, count in in_how_many.items()}

    def about(self, question: str) -> list[str]:
        """Answers that may concern the question, the nearest intent's first; none: no word of it
        is known."""
        asked = _words(question)
        scores = {
            name: sum(self._weights[word] for word in asked & words)
            for name, words in self._words.items()
        }
        best = sorted(scores, key=lambda name: -scores[name])[:_AT_MOST]
        near = [name for name in best if scores[name] > 0.5 * scores[best[0]]]
        return [" ".join(self._replies[name]) for name in near if scores[name] > 0.0]


def _words(text: str) -> set[str]:
    """Words without their endings for number."""
    words = re.findall(r"\w+", text.lower())
    return {word.removesuffix("s") if len(word) > 3 else word for word in words}
