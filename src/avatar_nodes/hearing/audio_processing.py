"""WebRTC's audio processing, as the PyPI package `livekit` carries it: 10 ms at a time."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.sound.audio_file import GRAPH_RATE

FRAME = GRAPH_RATE // 100
"""Samples of the 10 ms that are processed at a time."""


class AudioProcessingError(ConfigurationError):
    """The library is missing or does not load; one line."""


class AudioProcessing:
    """A processor with some of its parts switched on: `echo_cancellation`, `high_pass_filter`,
    `auto_gain_control`.

    Raises:
        AudioProcessingError: the package is not installed, or its library does not load.
    """

    def __init__(self, **parts: bool) -> None:
        try:
            self._rtc: Any = importlib.import_module("livekit.rtc")
            module: Any = importlib.import_module("livekit.rtc.apm")
            self._processor = module.AudioProcessingModule(**parts)
            self._processor.set_stream_delay_ms(0)
        except ImportError as error:
            raise AudioProcessingError(
                f"it is missing ({error}): install the Python package livekit"
            ) from error
        except (OSError, RuntimeError) as error:
            raise AudioProcessingError(f"it does not start: {error}") from error

    def play(self, reference: np.ndarray) -> None:
        """What the loudspeaker plays, int16 [FRAME], before `process` of the same moment."""
        self._processor.process_reverse_stream(self._frame(reference))

    def process(self, captured: np.ndarray) -> np.ndarray:
        """What becomes of captured sound; both int16 [FRAME], 10 ms at 16 kHz."""
        frame = self._frame(captured)
        self._processor.process_stream(frame)
        return np.frombuffer(frame.data, np.int16).copy()

    def _frame(self, samples: np.ndarray) -> Any:
        data = bytearray(np.ascontiguousarray(samples, np.int16).tobytes())
        return self._rtc.AudioFrame(data, GRAPH_RATE, 1, FRAME)


def automatic_gain() -> AudioProcessing:
    """Brings a quiet voice to the level that detector and recogniser know, and no noise above -40
    dB. Raises AudioProcessingError."""
    return AudioProcessing(auto_gain_control=True)
