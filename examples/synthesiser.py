"""A synthesiser for the avatar's own voice node: hums a tone for each word.

voice: {backend: own, synthesiser: "synthesiser:HummingSynthesiser"}
"""

import numpy as np

from avatar_nodes.speaking.speech_stream import SpeechStream
from avatar_nodes.speaking.synthesis.synthesiser import Emit, Synthesiser

RATE = 22_050


class HummingSynthesiser(Synthesiser):
    """The voice node brings its sound to the graph's rate, holds it, and drops it."""

    name = "humming"

    def speak(self, text: str, language: str, stream: SpeechStream, emit: Emit) -> None:
        """Your engine: give int16 mono of any rate as it comes, until nobody wants more."""
        times = np.arange(RATE // 4) / RATE
        hum = 8000 * np.sin(2 * np.pi * 220 * times) * np.hanning(len(times))
        for _ in text.split():
            if not emit(hum.astype(np.int16), RATE):
                return
