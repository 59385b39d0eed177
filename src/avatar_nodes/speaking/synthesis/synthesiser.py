"""Interface of every speech synthesiser: text in, samples out, to be ended at any time."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

import numpy as np
import soxr

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.sound.audio_file import GRAPH_RATE, float_from_pcm, pcm_from_float
from avatar_nodes.speaking.speech_stream import SpeechStream

MAX_TEXT = 4000
"""Characters of a text at most."""
MAX_SOUND_S = 180.0
"""Seconds of sound of a text at most; a backend that goes on is stopped."""


class SynthesisError(ConfigurationError):
    """Text that could not be spoken, or a synthesiser that cannot be used; one line."""


class UnspokenLanguageError(SynthesisError):
    """The synthesiser works, and has no voice for a language."""


Emit = Callable[[np.ndarray, int], bool]
"""Takes samples (int16 [n] mono) and their rate; false: make no more."""


class Synthesiser(ABC):
    """Makes speech; a subclass gives `speak`.

    Each text is made on a thread of its own, so that the first samples can be taken while the rest
    is made, and a taker that cancels need not wait for the backend.

    Args:
        sample_rate: of the samples that streams give [Hz]; the backend's own are resampled.
    """

    name = "synthesiser"
    language = ""
    """What it speaks unless told otherwise, BCP 47; empty: nobody knows."""

    def __init__(self, *, sample_rate: int = GRAPH_RATE) -> None:
        self.sample_rate = sample_rate
        self._lock = threading.Lock()
        self._under_way: dict[threading.Thread, SpeechStream] = {}
        self._closed = False

    def synthesise(self, text: str, language: str = "") -> SpeechStream:
        """Begin to speak `text` and return its samples as they come; several may be under way.

        The stream raises SynthesisError, after the samples made until then, when the backend fails,
        makes no sound, or does not know the language.

        Args:
            language: BCP 47 (`en`, `de-DE`); empty: the voice's own.

        Raises:
            SynthesisError: text without end or without words, or the synthesiser was closed.
        """
        if not text.strip():
            raise SynthesisError(f"{self.name}: the text is empty")
        if len(text) > MAX_TEXT:
            raise SynthesisError(
                f"{self.name}: a text of {len(text)} characters, at most {MAX_TEXT}"
            )
        stream = SpeechStream()
        thread = threading.Thread(
            target=self._run, args=(text, language, stream), name=self.name, daemon=True
        )
        with self._lock:
            if self._closed:
                raise SynthesisError(f"{self.name}: closed")
            self._under_way[thread] = stream
        thread.start()
        return stream

    @property
    def missing(self) -> int:
        """Expected sentences that it will still make before they are wanted."""
        return 0

    def expect(self, texts: Iterable[str], language: str) -> None:  # noqa: B027
        """Sentences in `language` (BCP 47) that will be wanted one day, instead of those named
        before: a synthesiser that keeps speech makes them while it is idle."""

    def close(self) -> None:
        """End what is under way and release the backend; may be called twice."""
        with self._lock:
            self._closed = True
            under_way = dict(self._under_way)
        for stream in under_way.values():
            stream.cancel()
        for thread in under_way:
            thread.join()

    @abstractmethod
    def speak(self, text: str, language: str, stream: SpeechStream, emit: Emit) -> None:
        """Make `text` and give the samples to `emit` as they are made, until it returns false.

        Called on the text's own thread. `stream.on_cancel` takes what ends a wait.

        Raises:
            Exception: any one, with one line on what failed.
        """

    def _run(self, text: str, language: str, stream: SpeechStream) -> None:
        outlet = _Outlet(stream, self.sample_rate)
        failed: SynthesisError | None = None
        try:
            self.speak(text, language, stream, outlet.emit)
            outlet.flush()
            if not outlet.heard and not stream.cancelled:
                failed = SynthesisError(f"{self.name}: no sound for {_short(text)}")
        except SynthesisError as error:
            failed = error
        except Exception as error:
            line = " ".join(str(error).split()) or type(error).__name__
            failed = SynthesisError(f"{self.name}: {line}")
        finally:
            stream.finish(failed)
            with self._lock:
                self._under_way.pop(threading.current_thread(), None)


class _Outlet:
    """Brings samples to the rate wanted and puts them into the stream."""

    def __init__(self, stream: SpeechStream, sample_rate: int) -> None:
        self._stream = stream
        self._rate = sample_rate
        self._source_rate = sample_rate
        self._resampler: soxr.ResampleStream | None = None
        self.heard = 0
        """Samples put."""

    def emit(self, samples: np.ndarray, rate: int) -> bool:
        if not self.heard and self._resampler is None:
            self._source_rate = rate
            if rate != self._rate:
                self._resampler = soxr.ResampleStream(rate, self._rate, 1, dtype="float32")
        if rate != self._source_rate:
            raise SynthesisError(f"the rate changed from {self._source_rate} to {rate} Hz")
        return self._put(samples, last=False)

    def flush(self) -> None:
        if self._resampler is not None:
            self._put(np.zeros(0, np.int16), last=True)

    def _put(self, samples: np.ndarray, *, last: bool) -> bool:
        if self._resampler is not None:
            resampled = self._resampler.resample_chunk(float_from_pcm(samples), last=last)
            samples = pcm_from_float(resampled)
        self.heard += len(samples)
        if self.heard > MAX_SOUND_S * self._rate:
            raise SynthesisError(f"more than {MAX_SOUND_S:g} s of sound for one text")
        return self._stream.put(samples)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
