"""Interface of every reasoning backend: an utterance in, thoughts out, cancelled any time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.mind.dialogue import Exchange


class ReasonerError(ConfigurationError):
    """A backend that cannot be set up: a missing library, model or server address; one line."""


@dataclass(frozen=True)
class Request:
    """What there is to think about."""

    utterance: str
    dialogue: tuple[Exchange, ...] = ()
    """What was said before, oldest first."""
    state: str = "thinking"
    """What the avatar is doing: idle, listening, thinking or speaking."""
    latest: str = ""
    """The end of the utterance, where he paused before it; empty: he did not pause."""


@dataclass(frozen=True)
class Began:
    """The first sign of a reply: the model's first token, or the intent that was found."""


@dataclass(frozen=True)
class Intention:
    """How the avatar moves with its reply. A later one of the same reply replaces it.

    `action_prompt` (empty: none) holds for `seconds` from the first sound on (0: as long as it is
    heard), `stable_prompt` afterwards. `confidence` is 0..1; None: the backend gives none.
    """

    action_prompt: str
    stable_prompt: str
    seconds: float = 0.0
    name: str = ""
    confidence: float | None = None


@dataclass(frozen=True)
class Sentence:
    """The next sentence of the reply; never empty."""

    text: str


@dataclass(frozen=True)
class Done:
    """The reply is over. `problem` is empty when all went well, else one word for counting
    (`timeout`, `server`, `busy`, `malformed`, `cut_off`, `tool`, `action`, `model`), and `detail`
    says it in one line."""

    problem: str = ""
    detail: str = ""


Thought = Began | Intention | Sentence | Done


class Thinking(Protocol):
    """One reply in the making; iterate it once, in one thread.

    It gives `Began`, an `Intention`, sentences (and perhaps further intentions), and `Done` as the
    last. When an answer cannot be made or completed, the sentences of a fallback stand in for it.
    It never waits beyond the backend's time-outs.
    """

    def __iter__(self) -> Iterator[Thought]: ...

    def cancel(self) -> None:
        """End the iteration at once, without `Done`; from any thread, any number of times."""


class Reasoner(Protocol):
    """A backend. One reply is made at a time: the next is begun when the one before was iterated to
    its end or cancelled."""

    def think(self, request: Request) -> Thinking:
        """Begin a reply; returns at once."""
        ...

    def close(self) -> None:
        """Cancel what is under way and let go of model, server and threads."""
        ...
