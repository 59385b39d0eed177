"""Speech by espeak-ng: always there, without weights; a hundred languages, plainly spoken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from avatar_nodes.sound.audio_file import GRAPH_RATE
from avatar_nodes.speaking.speech_stream import SpeechStream
from avatar_nodes.speaking.synthesis.espeak_library import Espeak, SpeechError, check_numbers
from avatar_nodes.speaking.synthesis.synthesiser import Emit, Synthesiser, SynthesisError

# BCP 47 names that espeak-ng calls otherwise.
_OTHER_NAMES = {"zh": "cmn", "no": "nb"}


class EspeakSynthesiser(Synthesiser):
    """espeak-ng in this process; its samples come as it makes them, 60 ms at a time.

    Args:
        voice: `language` or `language+variant` as espeak-ng names them (`en-us`, `de+f2`). A text
            in another language is spoken with that language's voice and this one's variant.
        rate: words a minute, 80..450. pitch: 0..99. volume: 0..200, 100 is its own.

    Raises:
        SynthesisError: at construction: espeak-ng does not start, an unknown voice, a number out of
            range.
    """

    name = "espeak"

    def __init__(
        self,
        *,
        voice: str = "en-us",
        rate: int = 170,
        pitch: int = 50,
        volume: int = 100,
        sample_rate: int = GRAPH_RATE,
    ) -> None:
        super().__init__(sample_rate=sample_rate)
        self._voice, self._rate, self._pitch, self._volume = voice, rate, pitch, volume
        try:
            check_numbers(rate, pitch, volume)
            with Espeak(lambda samples, marks: False) as machine:
                known = machine.knows(voice)
        except (SpeechError, OSError) as error:
            raise SynthesisError(f"espeak: {error}") from error
        if not known:
            raise SynthesisError(f"espeak: unknown voice {voice!r}")
        self.language = voice.partition("+")[0]

    def speak(self, text: str, language: str, stream: SpeechStream, emit: Emit) -> None:
        """See `Synthesiser.speak`."""

        def on_sound(samples: np.ndarray, marks: Sequence[tuple[int, str]]) -> bool:
            return emit(samples, machine.rate)

        with Espeak(on_sound) as machine:
            machine.speak(
                text,
                voice=self._voice_of(language, machine),
                rate=self._rate,
                pitch=self._pitch,
                volume=self._volume,
            )

    def _voice_of(self, language: str, machine: Espeak) -> str:
        """The voice for a language: the configured one where it speaks it."""
        wanted = language.strip().lower().replace("_", "-")
        own, _, variant = self._voice.partition("+")
        if not wanted or f"{own.lower()}-".startswith(f"{wanted}-"):
            return self._voice
        first = wanted.partition("-")[0]
        for name in (wanted, first, _OTHER_NAMES.get(first, first)):
            voice = f"{name}+{variant}" if variant else name
            if machine.knows(voice):
                return voice
        raise SynthesisError(f"espeak: no voice speaks {language!r}")
