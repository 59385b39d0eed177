"""The default backend: answers from the persona's file, matched by meaning. No network, no GPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from avatar_nodes.mind.intent_matcher import IntentMatcher, Match
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Began, Done, Request, Thought
from avatar_nodes.mind.sentence_embedding import SentenceEmbedding

_WARM_UP = "hello, can you hear me"


class PersonaReasoner:
    """Answers by the intent that an utterance is nearest to; it is ready when it is constructed.

    Raises:
        EmbeddingError: the embedding model is not there.
    """

    def __init__(self, phrasebook: Phrasebook, embedding: SentenceEmbedding | None = None) -> None:
        persona = phrasebook.persona
        self.embedding = embedding or SentenceEmbedding()
        self._phrasebook = phrasebook
        self._matcher = IntentMatcher(
            self.embedding,
            {intent.name: intent.examples for intent in persona.intents},
            threshold=persona.matching.threshold,
            margin=persona.matching.margin,
        )
        self._matcher.match(_WARM_UP)  # the first call is slower by far

    def think(self, request: Request) -> PersonaThinking:
        """Begin a reply."""
        return PersonaThinking(request, self._phrasebook, self._matcher)

    def close(self) -> None:
        """Nothing to let go of."""


class PersonaThinking:
    """One reply from the file."""

    def __init__(self, request: Request, phrasebook: Phrasebook, matcher: IntentMatcher) -> None:
        self._request = request
        self._phrasebook = phrasebook
        self._matcher = matcher
        self._cancelled = threading.Event()

    def __iter__(self) -> Iterator[Thought]:
        for thought in self._thoughts():
            if self._cancelled.is_set():
                return
            yield thought

    def cancel(self) -> None:
        """End the iteration."""
        self._cancelled.set()

    def _match(self) -> Match:
        """Of an utterance with a pause the whole, or its end alone, whichever is surer: to "good
        morning ... how are you" two intents are about as near, but not to its end."""
        utterance = self._request.utterance
        wordings = dict.fromkeys((utterance, self._request.latest or utterance))
        matches = [self._matcher.match(wording) for wording in wordings]
        return max(matches, key=lambda match: (match.intent is not None, match.confidence))

    def _thoughts(self) -> Iterator[Thought]:
        request, phrasebook = self._request, self._phrasebook
        match = self._match()
        yield Began()
        if match.intent is None:
            yield from phrasebook.fallback("unknown", request, match.confidence)
        else:
            intent = phrasebook.persona.intent(match.intent)
            yield from phrasebook.answer(intent, request, match.confidence)
        yield Done()
