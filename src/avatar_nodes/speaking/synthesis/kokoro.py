"""Speech by Kokoro: a small neural voice (ONNX) that sounds like a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from avatar_nodes.sound.audio_file import GRAPH_RATE, pcm_from_float
from avatar_nodes.speaking.speech_stream import SpeechStream
from avatar_nodes.speaking.synthesis.espeak_library import Espeak, SpeechError
from avatar_nodes.speaking.synthesis.kokoro_phonemes import kokoro_phonemes, numbers_of
from avatar_nodes.speaking.synthesis.synthesiser import (
    Emit,
    Synthesiser,
    SynthesisError,
    UnspokenLanguageError,
)

STORED = "kokoro"
"""The store's name of the model."""
_RATE = 24_000
_LONGEST = 509
"""Phonemes at a time."""
_STYLE = 256
# Language of a voice by the first letter of its name, as espeak-ng calls it, and the voice that is
# taken where only a language is named.
_LANGUAGES = {"a": "en-us", "b": "en", "e": "es", "f": "fr", "i": "it", "p": "pt-br"}
_USUAL = ("af_heart", "bf_emma", "ef_dora", "ff_siwis", "if_sara", "pf_dora")
_CLAUSE = re.compile(r"(?<=[,;:.!?…—])\s+")
_SHORT, _LONG = 12, 120
"""Letters: a shorter clause is spoken with the next; clauses after the first are put together up to
the longer."""
_STILL = 0.01
_EDGE_S, _GAP_S = 0.04, 0.12


class KokoroSynthesiser(Synthesiser):
    """Kokoro-82M in this process; the first samples come after the first clause.

    Args:
        folder: with `model.onnx` and voices (`af_heart.bin`, ...).
        voice: a voice's name, or a language (`en-us`, `es`), whose usual voice it is. A text in
            another language is spoken by that language's usual voice.
        speed: 1.0 is the voice's own. volume: 1.0 is full scale.
        threads: of the processor.

    Raises:
        SynthesisError: at construction: a package or file is missing, or the model does not load.
    """

    name = "kokoro"

    def __init__(
        self,
        *,
        folder: str | Path,
        voice: str = "af_heart",
        speed: float = 1.0,
        volume: float = 1.0,
        threads: int = 1,
        sample_rate: int = GRAPH_RATE,
    ) -> None:
        super().__init__(sample_rate=sample_rate)
        self._folder = Path(folder)
        self._speed, self._volume = speed, volume
        self._session, self._options = self._open(threads)
        self._tokens = self._session.get_inputs()[0].name  # exports differ in it
        self._styles: dict[str, np.ndarray] = {}
        self._voice = voice if self._has(voice) else self._usual(voice)
        self._style(self._voice)
        self.language = _LANGUAGES[self._voice[0]]

    def speak(self, text: str, language: str, stream: SpeechStream, emit: Emit) -> None:
        """See `Synthesiser.speak`."""
        voice = self._voice_of(language)
        run = self._options()

        def stop() -> None:
            run.terminate = True

        stream.on_cancel(stop)
        for clause in clauses(text):
            sound = self._spoken(clause, voice, run, stream)
            if sound is None or not emit(pcm_from_float(sound), _RATE):
                return

    def _spoken(self, clause: str, voice: str, run: Any, stream: SpeechStream) -> np.ndarray | None:
        """The clause's sound at 24 kHz, float32 [n]; None: it was cancelled."""
        numbers = self._numbers(clause, _LANGUAGES[voice[0]])
        styles = self._style(voice)
        inputs = {
            self._tokens: np.array([[0, *numbers, 0]], np.int64),
            "style": styles[min(len(numbers), len(styles) - 1)][None],
            "speed": np.array([self._speed], np.float32),
        }
        try:
            (sound,) = self._session.run(None, inputs, run)
        except Exception as error:  # ONNX Runtime has no narrower one; it stops by raising, too
            if stream.cancelled:
                return None
            raise SynthesisError(f"kokoro: {_line(error)}") from error
        return _trimmed(np.asarray(sound, np.float32).reshape(-1)) * self._volume

    def _numbers(self, clause: str, language: str) -> list[int]:
        mark = clause[-1] if clause[-1] in ",;:.!?…—" else ""
        try:
            with Espeak(lambda samples, marks: False) as machine:
                ipa = machine.phonemes(clause, voice=language)
        except (SpeechError, OSError) as error:
            raise SynthesisError(f"kokoro: {error}") from error
        return numbers_of(kokoro_phonemes(ipa, language) + mark)[:_LONGEST]

    def _voice_of(self, language: str) -> str:
        """The voice for a language: the configured one where it speaks it."""
        wanted = language.strip().lower().replace("_", "-")
        own = _LANGUAGES[self._voice[0]]
        if not wanted or wanted.partition("-")[0] == own.partition("-")[0]:
            return self._voice
        return self._usual(wanted)

    def _usual(self, language: str) -> str:
        first = language.lower().partition("-")[0]
        for voice in _USUAL:
            spoken = _LANGUAGES[voice[0]]
            same = language.lower() == spoken or (language.lower() == "en-gb" and spoken == "en")
            if self._has(voice) and same:
                return voice
        for voice in _USUAL:
            if self._has(voice) and _LANGUAGES[voice[0]].partition("-")[0] == first:
                return voice
        raise UnspokenLanguageError(f"kokoro: no voice is, or speaks, {language!r}")

    def _has(self, voice: str) -> bool:
        known = voice[:1] in _LANGUAGES and re.fullmatch(r"[a-z]+_[a-z0-9]+", voice)
        return bool(known) and (self._folder / f"{voice}.bin").is_file()

    def _style(self, voice: str) -> np.ndarray:
        """How the voice speaks texts of each length, float32 [lengths, 256]."""
        if voice not in self._styles:
            found = np.fromfile(self._folder / f"{voice}.bin", np.float32)
            if not len(found) or len(found) % _STYLE:
                raise SynthesisError(f"kokoro: {voice}.bin: {len(found)} numbers are no voice")
            self._styles[voice] = found.reshape(-1, _STYLE)
        return self._styles[voice]

    def _open(self, threads: int) -> tuple[Any, Any]:
        try:
            import onnxruntime
        except ImportError as error:
            raise SynthesisError(
                f"kokoro: onnxruntime is missing ({error}): install the Python package onnxruntime"
            ) from error
        path = self._folder / "model.onnx"
        if not path.is_file():
            raise SynthesisError(f"kokoro: {path}: no such file")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # a run that is cancelled is no error to be told
        try:
            session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # whatever the file makes ONNX Runtime raise
            raise SynthesisError(f"kokoro: {path}: no usable model: {_line(error)}") from error

        def quiet_run() -> Any:
            run = onnxruntime.RunOptions()
            run.log_severity_level = 4
            return run

        return session, quiet_run


def clauses(text: str) -> Iterator[str]:
    """Pieces of a text to be spoken one after another: the first clause, so that it is heard soon,
    then several clauses at a time."""
    waiting, longest = "", 0
    for clause in filter(None, _CLAUSE.split(text.strip())):
        joined = f"{waiting} {clause}".strip()
        if waiting and len(joined) > longest and len(waiting) >= _SHORT:
            yield waiting
            waiting, longest = clause, _LONG
        else:
            waiting = joined
    if waiting:
        yield waiting


def _trimmed(sound: np.ndarray) -> np.ndarray:
    """Without most of the silence before it and after it."""
    loud = np.flatnonzero(np.abs(sound) > _STILL)
    if not len(loud):
        return sound
    first = max(0, int(loud[0]) - round(_EDGE_S * _RATE))
    return sound[first : int(loud[-1]) + round(_GAP_S * _RATE)]


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
