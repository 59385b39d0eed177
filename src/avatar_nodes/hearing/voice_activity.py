"""How likely each short window of sound holds speech: Silero VAD behind a small interface.

The weights are those of the TorchScript file that the PyPI package `silero-vad` carries; the
arithmetic is numpy's. The package itself, torch or an ONNX runtime would take 100 MB and more for a
network of 300 000 weights.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.hearing.torchscript_file import TorchScriptFileError, read_torchscript
from avatar_nodes.sound.audio_file import float_from_pcm

_CONTEXT = 64
"""Samples before a window that its spectrum sees too, and as many mirrored behind it."""
_FRAME, _HOP = 256, 128
_STATE = 128
_STRIDES = (1, 2, 2, 1)


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
    """Silero VAD at 16 kHz (windows of 32 ms): magnitudes of a short-time Fourier transform, four
    convolutions over time, an LSTM, a logistic unit.

    Raises:
        VoiceActivityError: the package is not installed or its model does not load.
    """

    window_samples = 512

    def __init__(self) -> None:
        path = _model_path()
        try:
            every = read_torchscript(path)
            self._take({name.removeprefix("_model."): value for name, value in every.items()})
        except TorchScriptFileError as error:
            raise VoiceActivityError(str(error)) from error
        except KeyError as error:
            raise VoiceActivityError(f"{path}: lacks the tensor {error}") from error
        self._before = np.zeros(_CONTEXT, np.float32)
        self._hidden = np.zeros(_STATE, np.float32)
        self._cell = np.zeros(_STATE, np.float32)

    def _take(self, weights: Mapping[str, np.ndarray]) -> None:
        """Lay the weights out as they are used; a KeyError names one that is missing."""
        self._spectrum = weights["stft.forward_basis_buffer"][:, 0, :].T
        self._convolutions = []
        for number, stride in enumerate(_STRIDES):
            name = f"encoder.{number}.reparam_conv"
            taps = _taps(weights[f"{name}.weight"])
            self._convolutions.append((taps, weights[f"{name}.bias"], stride))
        lstm = "decoder.rnn"
        self._gates = np.concatenate(
            [weights[f"{lstm}.weight_ih"], weights[f"{lstm}.weight_hh"]], axis=1
        ).T
        self._gates_bias = weights[f"{lstm}.bias_ih"] + weights[f"{lstm}.bias_hh"]
        self._out = weights["decoder.decoder.2.weight"][0, :, 0]
        self._out_bias = weights["decoder.decoder.2.bias"][0]

    def probability(self, window: np.ndarray) -> float:
        """See `VoiceActivity`."""
        if window.shape != (self.window_samples,):
            raise ValueError(f"window {window.shape}: expected ({self.window_samples},)")
        sound = np.concatenate([self._before, float_from_pcm(window)])
        self._before = sound[-_CONTEXT:].copy()
        frames = np.lib.stride_tricks.sliding_window_view(
            np.pad(sound, (0, _CONTEXT), "reflect"), _FRAME
        )[::_HOP]
        real, imaginary = np.split(frames @ self._spectrum, 2, axis=1)
        values = np.sqrt(real * real + imaginary * imaginary)
        for taps, bias, stride in self._convolutions:
            padded = np.pad(values, ((1, 1), (0, 0)))
            count = range(0, len(values), stride)
            rows = np.stack([padded[first : first + 3].ravel() for first in count])
            values = np.maximum(rows @ taps + bias, 0.0)
        self._remember(values[0])
        return float(_sigmoid(np.maximum(self._hidden, 0.0) @ self._out + self._out_bias))

    def reset(self) -> None:
        """See `VoiceActivity`."""
        for state in (self._before, self._hidden, self._cell):
            state.fill(0.0)

    def _remember(self, values: np.ndarray) -> None:
        """One step of the LSTM."""
        gates = np.concatenate([values, self._hidden]) @ self._gates + self._gates_bias
        entry, keep, new, out = np.split(gates, 4)
        self._cell = _sigmoid(keep) * self._cell + _sigmoid(entry) * np.tanh(new)
        self._hidden = _sigmoid(out) * np.tanh(self._cell)


def _taps(weight: np.ndarray) -> np.ndarray:
    """A convolution's weight [out, in, 3] as a matrix [3 * in, out]."""
    return np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, len(weight)))


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * values))


def _model_path() -> Path:
    """The model inside the package, found without importing it."""
    spec = importlib.util.find_spec("silero_vad")
    for folder in (spec and spec.submodule_search_locations) or []:
        path = Path(folder, "data", "silero_vad.jit")
        if path.is_file():
            return path
    raise VoiceActivityError("Silero VAD is missing: install the Python package silero-vad")
