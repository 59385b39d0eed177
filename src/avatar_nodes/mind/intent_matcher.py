"""Finds the intent of an utterance: the nearest of the operator's examples, if near enough."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from avatar_nodes.mind.sentence_embedding import SentenceEmbedding

_NEAREST = 3
_WEIGHT_OF_BEST = 0.5


@dataclass(frozen=True)
class Match:
    """What was found.

    `intent` is None when nothing is near enough, or two intents are about as near. `confidence` is
    the score of the nearest intent, 0..1, and `runner_up` that of the next.
    """

    intent: str | None
    nearest: str
    confidence: float
    runner_up: float


class IntentMatcher:
    """An intent's score is half the cosine of its nearest example, half the mean of its three
    nearest: one odd example alone does not win.

    Args:
        examples: the intents' names and example utterances; two intents at least.
        threshold: lowest score that is a match, 0..1.
        margin: by how much the best score must exceed that of any other intent, 0..1.
    """

    def __init__(
        self,
        embedding: SentenceEmbedding,
        examples: Mapping[str, Sequence[str]],
        *,
        threshold: float,
        margin: float,
    ) -> None:
        self._embedding = embedding
        self._threshold = threshold
        self._margin = margin
        self._names = list(examples)
        texts = [_plain(text) for name in self._names for text in examples[name]]
        self._vectors = embedding.encode(texts)
        ends = np.cumsum([len(examples[name]) for name in self._names])
        self._bounds = list(zip([0, *ends[:-1]], ends, strict=True))

    def match(self, utterance: str) -> Match:
        """Find the intent of `utterance`; its letter case and punctuation do not matter."""
        cosines = self._vectors @ self._embedding.encode([_plain(utterance)])[0]
        scores = np.array([_score(cosines[first:last]) for first, last in self._bounds])
        second, best = (int(place) for place in np.argsort(scores)[-2:])
        confidence, runner_up = (float(max(0.0, scores[place])) for place in (best, second))
        sure = confidence >= self._threshold and confidence - runner_up >= self._margin
        name = self._names[best]
        return Match(name if sure else None, name, confidence, runner_up)


def _score(cosines: np.ndarray) -> float:
    nearest = np.sort(cosines)[::-1][:_NEAREST]
    return float(_WEIGHT_OF_BEST * nearest[0] + (1.0 - _WEIGHT_OF_BEST) * nearest.mean())


def _plain(text: str) -> str:
    """As speech recognition writes: lower case, no punctuation but the apostrophe."""
    return " ".join(re.sub(r"[^\w\s']", " ", text.lower()).split())
