"""Speech by Piper: small neural voices (ONNX), faster than real time on one processor core."""

from __future__ import annotations

from pathlib import Path

from avatar_nodes.sound.audio_file import GRAPH_RATE
from avatar_nodes.speaking.speech_stream import SpeechStream
from avatar_nodes.speaking.synthesis.synthesiser import Emit, Synthesiser, SynthesisError


class PiperSynthesiser(Synthesiser):
    """A Piper voice in this process; its samples come sentence by sentence.

    A sentence that is being computed when the stream is cancelled is computed to its end, unheard.

    Args:
        voice_file: the voice, `NAME.onnx`, with its description `NAME.onnx.json` beside it.
        speaker: number of the speaker in a voice of several; negative: the voice's own choice.
        speed: 1.0 is the voice's own. volume: 1.0 is full scale.

    Raises:
        SynthesisError: at construction: the `piper-tts` package is missing, or the voice cannot be
            loaded.
    """

    name = "piper"

    def __init__(
        self,
        *,
        voice_file: str | Path,
        speaker: int = -1,
        speed: float = 1.0,
        volume: float = 1.0,
        sample_rate: int = GRAPH_RATE,
    ) -> None:
        super().__init__(sample_rate=sample_rate)
        try:
            from piper import PiperVoice, SynthesisConfig
        except ImportError as error:
            raise SynthesisError(
                f"piper: the Python package piper-tts is missing ({error}): pip install piper-tts"
            ) from error
        path = Path(voice_file)
        for part in (path, Path(f"{path}.json")):
            if not part.is_file():
                raise SynthesisError(f"piper: {part}: no such file")
        try:
            self._voice = PiperVoice.load(path)
        except Exception as error:  # whatever the file makes ONNX Runtime or the JSON parser raise
            line = " ".join(str(error).split()) or type(error).__name__
            raise SynthesisError(f"piper: {path}: no usable voice: {line}") from error
        self.language = self._voice.config.espeak_voice
        self._settings = SynthesisConfig(
            speaker_id=None if speaker < 0 else speaker,
            length_scale=self._voice.config.length_scale / speed,
            volume=volume,
        )

    def speak(self, text: str, language: str, stream: SpeechStream, emit: Emit) -> None:
        """See `Synthesiser.speak`. A voice speaks one language, whichever is asked for."""
        for chunk in self._voice.synthesize(text, self._settings):
            if not emit(chunk.audio_int16_array, chunk.sample_rate):
                return
