"""How likely each short window of sound holds speech: Silero VAD behind a small interface.

The model is the TorchScript file that the PyPI package `silero-vad` carries. It is loaded by torch
itself: importing the package would set torch's thread count for the whole process, and the ONNX
file would need one more runtime.
"""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.sound.audio_file import GRAPH_RATE, float_from_pcm

_WARM_UP_WINDOWS = 8


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
    """Silero VAD (windows of 32 ms), on one core of the CPU.

    Raises:
        VoiceActivityError: the package is not installed or its model does not load.
    """

    window_samples = 512

    def __init__(self) -> None:
        path = _model_path()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # torch favours torch.export
                self._model: Any = torch.jit.load(str(path), map_location="cpu")
        except RuntimeError as error:
            raise VoiceActivityError(f"{path}: {str(error).splitlines()[0]}") from error
        self._model.eval()
        for _ in range(_WARM_UP_WINDOWS):  # the first calls compile
            self.probability(np.zeros(self.window_samples, np.int16))
        self.reset()

    def probability(self, window: np.ndarray) -> float:
        """See `VoiceActivity`."""
        if window.shape != (self.window_samples,):
            raise ValueError(f"window {window.shape}: expected ({self.window_samples},)")
        with torch.inference_mode():
            return float(self._model(torch.from_numpy(float_from_pcm(window)), GRAPH_RATE))

    def reset(self) -> None:
        """See `VoiceActivity`."""
        self._model.reset_states()


def _model_path() -> Path:
    """The model inside the package, found without importing it."""
    spec = importlib.util.find_spec("silero_vad")
    for folder in (spec and spec.submodule_search_locations) or []:
        path = Path(folder, "data", "silero_vad.jit")
        if path.is_file():
            return path
    raise VoiceActivityError("Silero VAD is missing: install the Python package silero-vad")
