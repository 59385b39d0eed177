"""Acoustic echo cancellation: WebRTC's AEC3."""

from __future__ import annotations

import numpy as np

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.hearing.audio_processing import AudioProcessing, AudioProcessingError


class EchoCancellerError(ConfigurationError):
    """The library is missing or does not load; one line."""


class EchoCanceller:
    """Takes the avatar's voice out of the microphone's sound.

    It finds the delay between reference and echo by itself, up to about half a second, as long as
    the echo does not come before its reference.

    Raises:
        EchoCancellerError: the package is not installed, or its library does not load.
    """

    def __init__(self) -> None:
        try:
            self._processing = AudioProcessing(echo_cancellation=True, high_pass_filter=True)
        except AudioProcessingError as error:
            raise EchoCancellerError(f"echo cancellation: {error}, or choose echo: gate") from error

    def process(self, captured: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """`captured` without the echo of `reference`: all int16 [FRAME], 10 ms at 16 kHz."""
        self._processing.play(reference)
        return self._processing.process(captured)
