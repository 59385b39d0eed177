"""Kokoro's ONNX model and its voices: phonemes to sound, and when each is said."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from avatar_nodes.speaking.synthesis.kokoro_phonemes import numbers_of
from avatar_nodes.speaking.synthesis.synthesiser import SynthesisError

RATE = 24_000
LANGUAGES = {"a": "en-us", "b": "en", "e": "es", "f": "fr", "i": "it", "p": "pt-br"}
"""Language of a voice by the first letter of its name, as espeak-ng calls it."""
_LONGEST = 509
"""Phonemes at a time."""
_STYLE = 256
_STEP_S = 600 / RATE
"""Unit of a phoneme's length."""


class KokoroModel:
    """Kokoro-82M in this process.

    Args:
        folder: with `model.onnx` and voices (`af_heart.bin`, ...).
        threads: of the processor.
        timed: `sound` tells how long each phoneme lasts, too; needs the package onnx.

    Raises:
        SynthesisError: a package or file is missing, or the model does not load.
    """

    def __init__(self, folder: str | Path, *, threads: int = 1, timed: bool = False) -> None:
        self._folder = Path(folder)
        self._timed = timed
        self._session, self.options = _open(self._folder / "model.onnx", threads, timed)
        self._tokens = self._session.get_inputs()[0].name  # exports differ in it
        self._styles: dict[str, np.ndarray] = {}

    def sound(
        self, phonemes: str, voice: str, *, speed: float = 1.0, options: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Sound of one clause, float32 [n] at 24 kHz, and the phonemes' lengths.

        Args:
            phonemes: in Kokoro's alphabet; what it does not know, and what is too long, is left
                out.
            options: of the run (`self.options()`), to stop it by.

        Returns:
            The lengths are float64 [phonemes + 2] in seconds, of silence before and after, too;
            empty of a model that is not `timed`.

        Raises:
            SynthesisError: the voice is none.
            Exception: ONNX Runtime fails, or was told to stop.
        """
        numbers = numbers_of(phonemes)[:_LONGEST]
        styles = self.style(voice)
        inputs = {
            self._tokens: np.array([[0, *numbers, 0]], np.int64),
            "style": styles[min(len(numbers), len(styles) - 1)][None],
            "speed": np.array([speed], np.float32),
        }
        sound, *lengths = self._session.run(None, inputs, options)
        steps = np.asarray(lengths[0], np.float64).reshape(-1) if self._timed else np.zeros(0)
        return np.asarray(sound, np.float32).reshape(-1), steps * _STEP_S

    def has(self, voice: str) -> bool:
        """Whether the folder has such a voice of a known language."""
        known = voice[:1] in LANGUAGES and re.fullmatch(r"[a-z]+_[a-z0-9]+", voice)
        return bool(known) and (self._folder / f"{voice}.bin").is_file()

    def style(self, voice: str) -> np.ndarray:
        """How the voice speaks texts of each length, float32 [lengths, 256].

        Raises:
            SynthesisError: the file holds something else.
        """
        if voice not in self._styles:
            found = np.fromfile(self._folder / f"{voice}.bin", np.float32)
            if not len(found) or len(found) % _STYLE:
                raise SynthesisError(f"kokoro: {voice}.bin: {len(found)} numbers are no voice")
            self._styles[voice] = found.reshape(-1, _STYLE)
        return self._styles[voice]


def _open(path: Path, threads: int, timed: bool) -> tuple[Any, Any]:
    try:
        import onnxruntime
    except ImportError as error:
        raise SynthesisError(
            f"kokoro: onnxruntime is missing ({error}): install the Python package onnxruntime"
        ) from error
    if not path.is_file():
        raise SynthesisError(f"kokoro: {path}: no such file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # a run that is cancelled is no error to be told
    try:
        model = _with_lengths(path) if timed else str(path)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # whatever the file makes ONNX Runtime raise
        line = " ".join(str(error).split())[:200] or type(error).__name__
        raise SynthesisError(f"kokoro: {path}: no usable model: {line}") from error

    def quiet_run() -> Any:
        run = onnxruntime.RunOptions()
        run.log_severity_level = 4
        return run

    return session, quiet_run


def _with_lengths(path: Path) -> bytes:
    """The model with one output more: the lengths that it rounds on its way, at least 1 each."""
    import onnx

    model = onnx.load(path)
    rounded = {name for node in model.graph.node if node.op_type == "Round" for name in node.output}
    (clipped,) = (
        node.output[0]
        for node in model.graph.node
        if node.op_type == "Clip" and node.input[0] in rounded
    )
    model.graph.output.append(onnx.ValueInfoProto(name=clipped))
    return bytes(model.SerializeToString())
