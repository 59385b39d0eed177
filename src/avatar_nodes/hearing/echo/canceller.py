"""Acoustic echo cancellation: WebRTC's AEC3, as the PyPI package `livekit` carries it."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.sound.audio_file import GRAPH_RATE

FRAME = GRAPH_RATE // 100
"""Samples of the 10 ms that are processed at a time."""


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
            self._rtc: Any = importlib.import_module("livekit.rtc")
            module: Any = importlib.import_module("livekit.rtc.apm")
            self._processor = module.AudioProcessingModule(
                echo_cancellation=True, high_pass_filter=True
            )
            self._processor.set_stream_delay_ms(0)
        except ImportError as error:
            raise EchoCancellerError(
                f"echo cancellation is missing ({error}): install the Python package livekit, or"
                " choose echo: gate"
            ) from error
        except (OSError, RuntimeError) as error:
            raise EchoCancellerError(f"echo cancellation does not start: {error}") from error

    def process(self, captured: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """`captured` without the echo of `reference`: all int16 [FRAME], 10 ms at 16 kHz."""
        self._processor.process_reverse_stream(self._frame(reference))
        frame = self._frame(captured)
        self._processor.process_stream(frame)
        return np.frombuffer(frame.data, np.int16).copy()

    def _frame(self, samples: np.ndarray) -> Any:
        data = bytearray(np.ascontiguousarray(samples, np.int16).tobytes())
        return self._rtc.AudioFrame(data, GRAPH_RATE, 1, FRAME)
