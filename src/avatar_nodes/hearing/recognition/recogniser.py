"""What every speech recogniser is to the listener."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from avatar_nodes.errors.configuration_error import ConfigurationError

RECOGNISERS = ("pocketsphinx", "whisper")
USE_PHRASES = ("pocketsphinx",)
"""Those for which the sentences that visitors are likely to say make a difference."""


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


def open_recogniser(
    kind: str,
    *,
    model: str | Path = "",
    phrases: Sequence[str] = (),
    language: str = "",
    device: str = "cpu",
    threads: int = 1,
) -> Recogniser:
    """The recogniser of the name `kind`, one of RECOGNISERS.

    Args:
        model: folder of its model; empty: the one it carries (pocketsphinx only).
        phrases: sentences that visitors are likely to say (pocketsphinx).
        language: BCP 47 of what is spoken; empty: the model's own, or detected (whisper).
        device, threads: torch device, and CPU threads of this process's arithmetic (whisper).

    Raises:
        RecogniserError: an unknown name, a missing package, or a model that does not load.
    """
    if kind == "pocketsphinx":
        from avatar_nodes.hearing.recognition.pocketsphinx import PocketSphinxRecogniser

        return PocketSphinxRecogniser(model=model, phrases=phrases, language=language)
    if kind == "whisper":
        from avatar_nodes.hearing.recognition.whisper import WhisperRecogniser

        return WhisperRecogniser(model, language=language, device=device, threads=threads)
    raise RecogniserError(f"recogniser {kind!r}: expected one of {', '.join(RECOGNISERS)}")
