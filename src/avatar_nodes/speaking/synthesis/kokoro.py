"""Speech by Kokoro: a small neural voice (ONNX) that sounds like a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from avatar_nodes.sound.audio_file import GRAPH_RATE, pcm_from_float
from avatar_nodes.speaking.speech_stream import SpeechStream
from avatar_nodes.speaking.synthesis.espeak_library import SpeechError
from avatar_nodes.speaking.synthesis.kokoro_model import LANGUAGES, RATE, KokoroModel
from avatar_nodes.speaking.synthesis.kokoro_phonemes import clause_phonemes
from avatar_nodes.speaking.synthesis.synthesiser import (
    Emit,
    Synthesiser,
    SynthesisError,
    UnspokenLanguageError,
)

STORED = "kokoro"
"""The store's name of the model."""
_USUAL = ("af_heart", "bf_emma", "ef_dora", "ff_siwis", "if_sara", "pf_dora")
"""The voice that is taken where only a language is named."""
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
        self._speed, self._volume = speed, volume
        self._model = KokoroModel(folder, threads=threads)
        self._voice = voice if self._model.has(voice) else self._usual(voice)
        self._model.style(self._voice)
        self.language = LANGUAGES[self._voice[0]]

    def speak(self, text: str, language: str, stream: SpeechStream, emit: Emit) -> None:
        """See `Synthesiser.speak`."""
        voice = self._voice_of(language)
        run = self._model.options()

        def stop() -> None:
            run.terminate = True

        stream.on_cancel(stop)
        for clause in clauses(text):
            sound = self._spoken(clause, voice, run, stream)
            if sound is None or not emit(pcm_from_float(sound), RATE):
                return

    def _spoken(self, clause: str, voice: str, run: Any, stream: SpeechStream) -> np.ndarray | None:
        """The clause's sound at 24 kHz, float32 [n]; None: it was cancelled."""
        phonemes = self._phonemes(clause, LANGUAGES[voice[0]])
        try:
            sound, _ = self._model.sound(phonemes, voice, speed=self._speed, options=run)
        except SynthesisError:
            raise
        except Exception as error:  # ONNX Runtime has no narrower one; it stops by raising, too
            if stream.cancelled:
                return None
            raise SynthesisError(f"kokoro: {_line(error)}") from error
        return _trimmed(sound) * self._volume

    def _phonemes(self, clause: str, language: str) -> str:
        try:
            return clause_phonemes(clause, language)
        except (SpeechError, OSError) as error:
            raise SynthesisError(f"kokoro: {error}") from error

    def _voice_of(self, language: str) -> str:
        """The voice for a language: the configured one where it speaks it."""
        wanted = language.strip().lower().replace("_", "-")
        own = LANGUAGES[self._voice[0]]
        if not wanted or wanted.partition("-")[0] == own.partition("-")[0]:
            return self._voice
        return self._usual(wanted)

    def _usual(self, language: str) -> str:
        first = language.lower().partition("-")[0]
        for voice in _USUAL:
            spoken = LANGUAGES[voice[0]]
            same = language.lower() == spoken or (language.lower() == "en-gb" and spoken == "en")
            if self._model.has(voice) and same:
                return voice
        for voice in _USUAL:
            if self._model.has(voice) and LANGUAGES[voice[0]].partition("-")[0] == first:
                return voice
        raise UnspokenLanguageError(f"kokoro: no voice is, or speaks, {language!r}")


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
    first = max(0, int(loud[0]) - round(_EDGE_S * RATE))
    return sound[first : int(loud[-1]) + round(_GAP_S * RATE)]


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
