"""One answer of a Realtime server on its way in: its sound, its text, and how much was heard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr

from avatar_nodes.mind.sentences import SentenceStream
from avatar_nodes.realtime.client_events import RATE
from avatar_nodes.realtime.server_events import AudioDelta
from avatar_nodes.sound.audio_file import float_from_pcm, pcm_from_float

_HEARD_ALL_S = 0.05


@dataclass
class _Part:
    """Sound of one item of the conversation."""

    item: str
    content_index: int
    samples: int = 0
    """At RATE."""


class Response:
    """One answer.

    Args:
        identity: the server's.
        turn: the visitor's turn that it answers; 0: what the avatar says on its own.
        language: of its text, BCP 47.
        sample_rate: of the samples that `sound` gives [Hz].
    """

    def __init__(self, identity: str, turn: int, *, language: str, sample_rate: int) -> None:
        self.identity, self.turn = identity, turn
        self.wanted = True
        """Its sound is to be heard."""
        self.done = False
        """The server has made all of it."""
        self.text = ""
        self.heard_s = 0.0
        """How much of its sound was presented [s]."""
        self._sentences = SentenceStream(language)
        self._said = 0
        self._resampler = soxr.ResampleStream(RATE, sample_rate, 1, dtype="float32")
        self._parts: list[_Part] = []
        self._cut = b""

    @property
    def length_s(self) -> float:
        """Sound that has come [s]."""
        return sum(part.samples for part in self._parts) / RATE

    @property
    def heard_out(self) -> bool:
        """Nothing of it is left to be heard."""
        return self.done and self.heard_s >= self.length_s - _HEARD_ALL_S

    def sound(self, delta: AudioDelta) -> np.ndarray:
        """The samples of a piece, int16 [n] at `sample_rate`."""
        if not self._parts or self._parts[-1].item != delta.item:
            self._parts.append(_Part(delta.item, delta.content_index))
        data = self._cut + delta.data
        whole = len(data) - len(data) % 2
        samples, self._cut = np.frombuffer(data[:whole], "<i2"), data[whole:]
        self._parts[-1].samples += len(samples)
        return pcm_from_float(self._resampler.resample_chunk(float_from_pcm(samples)))

    def rest_of_sound(self) -> np.ndarray:
        """What the resampler holds back, once all pieces have come."""
        return pcm_from_float(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))

    def says(self, text: str) -> list[tuple[int, str]]:
        """Take more of its text; sentences that are complete by now, with their numbers."""
        self.text += text
        return self._numbered(self._sentences.push(text))

    def rest_of_text(self) -> list[tuple[int, str]]:
        """The last sentence, perhaps an empty one; nothing where there was no text at all."""
        rest = self._sentences.finish()
        return self._numbered(rest or ([""] if self._said else []))

    def unheard_parts(self) -> list[tuple[str, int, int]]:
        """The parts that were not heard to their end: item, place in it, milliseconds heard."""
        unheard, before = [], 0.0
        for part in self._parts:
            length_s = part.samples / RATE
            heard_s = min(max(0.0, self.heard_s - before), length_s)
            before += length_s
            if part.item and heard_s < length_s - _HEARD_ALL_S:
                unheard.append((part.item, part.content_index, int(heard_s * 1000.0)))
        return unheard

    def _numbered(self, sentences: list[str]) -> list[tuple[int, str]]:
        first, self._said = self._said, self._said + len(sentences)
        return list(enumerate(sentences, first))
