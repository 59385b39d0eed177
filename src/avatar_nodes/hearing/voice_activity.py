"""Rates how likely each short window of sound holds speech: Silero VAD.

The network is the ONNX file that the PyPI package `silero-vad` carries, run by ONNX Runtime. The
package itself is not imported: it brings torch, 190 MB of a process.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Protocol

import numpy as np

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.sound.audio_file import GRAPH_RATE, float_from_pcm

_CONTEXT = 64
"""Samples before a window that the network sees, too."""
_STATE_SHAPE = (2, 1, 128)


class VoiceActivityError(ConfigurationError):
    """The detector cannot be loaded; one line with what to install."""


class VoiceActivity(Protocol):
    """Judges one window after another of a continuous sound."""

    window_samples: int
    """Samples of a window at 16 kHz."""

    def probability(self, window: np.ndarray) -> float:
        """Probability 0..1 that `window` (int16 [window_samples]) holds speech, given those
        before."""
        ...

    def reset(self) -> None:
        """Forget the past: what follows does not continue it."""
        ...


class SileroVoiceActivity:
    """Silero VAD at 16 kHz (windows of 32 ms).

    Raises:
        VoiceActivityError: the package is not installed or its model does not load.
    """

    window_samples = 512
    _before: np.ndarray
    _state: np.ndarray

    def __init__(self) -> None:
        import onnxruntime  # 20 MB, spared to nodes that only need the interface

        path = _model_path()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # holds memory that so small a network never needs
        options.log_severity_level = 3  # errors; warnings are of the model's file
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors have no common base but this
            raise VoiceActivityError(f"{path}: does not load: {error}") from error
        self._rate = np.array(GRAPH_RATE, np.int64)
        self.reset()

    def probability(self, window: np.ndarray) -> float:
        """See `VoiceActivity`."""
        if window.shape != (self.window_samples,):
            raise ValueError(f"window {window.shape}: expected ({self.window_samples},)")
        sound = np.concatenate([self._before, float_from_pcm(window)])
        self._before = sound[-_CONTEXT:]
        inputs = {"input": sound[None], "state": self._state, "sr": self._rate}
        probability, self._state = self._session.run(None, inputs)
        return float(probability[0, 0])

    def reset(self) -> None:
        """See `VoiceActivity`."""
        self._before = np.zeros(_CONTEXT, np.float32)
        self._state = np.zeros(_STATE_SHAPE, np.float32)


def _model_path() -> Path:
    """The model inside the package, found without importing it."""
    spec = importlib.util.find_spec("silero_vad")
    for folder in (spec and spec.submodule_search_locations) or []:
        path = Path(folder, "data", "silero_vad.onnx")
        if path.is_file():
            return path
    raise VoiceActivityError("Silero VAD is missing: install the Python package silero-vad")
