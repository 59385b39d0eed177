"""Whether what was said before a pause is complete: by its sound (Smart Turn v3, a small network)
and by its text."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.hearing.log_mel import log_mel
from avatar_nodes.hearing.unfinished import breaks_off, is_one_word
from avatar_nodes.sound.audio_file import GRAPH_RATE, float_from_pcm
from avatar_nodes.store.store import ModelStore

STORED = "smart-turn"
"""The store's name of the model."""
HEARD_S = 8.0
"""Seconds of sound before the pause that count."""
_FILE = "smart-turn-v3.2-cpu.onnx"
_BANDS = 80
_COMPLETE, _INCOMPLETE = 0.8, 0.3
_SHORT_S, _LONG_S = 0.3, 1.6


class TurnEnd(Protocol):
    """Judges the sound of a turn up to a pause."""

    def complete(self, sound: np.ndarray) -> float:
        """Probability 0..1 that a visitor who has said `sound` (int16 [n] at 16 kHz) is done."""
        ...


class SmartTurn:
    """Smart Turn v3 by ONNX Runtime: some 50 ms of one core a pause.

    Args:
        folder: with the model's file.

    Raises:
        ConfigurationError: it does not load.
    """

    def __init__(self, folder: Path) -> None:
        import onnxruntime  # 20 MB, spared to those who only need the interface

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        path = folder / _FILE
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors have no common base but this
            raise ConfigurationError(f"{path}: does not load: {error}") from error

    def complete(self, sound: np.ndarray) -> float:
        """See `TurnEnd`."""
        wanted = round(HEARD_S * GRAPH_RATE)
        heard = float_from_pcm(sound)[-wanted:]
        heard = np.pad(heard, (wanted - len(heard), 0))
        heard = (heard - heard.mean()) / np.sqrt(heard.var() + 1e-7)
        (found,) = self._session.run(None, {"input_features": log_mel(heard, _BANDS)[None]})
        return float(found[0, 0])


def stored_turn_end() -> TurnEnd | None:
    """The store's model; None: it is not on this machine."""
    folder = ModelStore().find(STORED)
    return None if folder is None else SmartTurn(folder)


def silence_after(complete: float, usual_s: float) -> float:
    """The silence [s] that ends a turn which is complete with this probability."""
    if complete >= _COMPLETE:
        return min(usual_s, _SHORT_S)
    return max(usual_s, _LONG_S) if complete <= _INCOMPLETE else usual_s


def silence_after_text(text: str, language: str, judged_s: float, usual_s: float) -> float:
    """The silence [s] that ends a turn of which `text` was understood, where its sound alone would
    be ended by `judged_s`: longer in the middle of something, and not longer than usual after one
    word, whose melody tells little."""
    if breaks_off(text, language):
        return max(judged_s, _LONG_S)
    return min(judged_s, usual_s) if is_one_word(text) else judged_s
