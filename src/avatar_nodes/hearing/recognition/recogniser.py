"""Interface of every speech recogniser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from avatar_nodes.errors.configuration_error import ConfigurationError


class RecogniserError(ConfigurationError):
    """A recogniser that cannot be used; one line with the reason and what to do."""


@dataclass(frozen=True)
class Recognition:
    """What was understood."""

    text: str
    """Lower or mixed case, as the recogniser writes; empty: no words."""
    confidence: float
    """0..1; negative: unknown."""
    language: str
    """BCP 47; empty: unknown."""


class Recogniser(Protocol):
    """Understands one utterance after another. Used by one thread at a time."""

    interim_s: float
    """Sound between two interim texts that are worth their cost [s]; 0: they cost nothing."""
    pause_s: float
    """Silence after which all that was said is understood at once [s], for the turn may end there:
    the shorter, the sooner the text is there, and the more often it is made in vain."""

    def push(self, samples: np.ndarray) -> None:
        """The utterance's next samples, int16 mono at 16 kHz [n]; the first ones begin it."""
        ...

    def interim(self) -> str:
        """The words so far; empty: none yet."""
        ...

    def finish(self) -> Recognition:
        """End the utterance: all its words. The next `push` begins another."""
        ...

    def reset(self) -> None:
        """Forget the utterance."""
        ...

    def close(self) -> None:
        """Let go of models."""
        ...
