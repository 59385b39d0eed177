"""What a reasoner's thoughts say, for comparing."""

from __future__ import annotations

from collections.abc import Sequence

from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Done, Intention, Sentence, Thought


def sentences_of(thoughts: Sequence[Thought]) -> list[str]:
    """The words."""
    return [thought.text for thought in thoughts if isinstance(thought, Sentence)]


def intentions_of(thoughts: Sequence[Thought]) -> list[Intention]:
    """The gestures."""
    return [thought for thought in thoughts if isinstance(thought, Intention)]


def problem_of(thoughts: Sequence[Thought]) -> str:
    """What went wrong; the last thought must be `Done`, and the only one."""
    assert [isinstance(thought, Done) for thought in thoughts].index(True) == len(thoughts) - 1
    last = thoughts[-1]
    assert isinstance(last, Done)
    return last.problem


def is_fallback(thoughts: Sequence[Thought], phrasebook: Phrasebook) -> bool:
    """The last words are the persona's for trouble."""
    spoken = " ".join(sentences_of(thoughts))
    return any(spoken.endswith(reply) for reply in phrasebook.persona.fallback.trouble)
