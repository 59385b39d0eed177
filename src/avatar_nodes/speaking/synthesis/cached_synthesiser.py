"""Speech that is there before it is wanted: a slow voice says known sentences at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import numpy as np

from avatar_nodes.speaking.speech_stream import SpeechStream
from avatar_nodes.speaking.synthesis.speech_cache import SpeechCache
from avatar_nodes.speaking.synthesis.synthesiser import Emit, Synthesiser

_PIECE_S = 0.1
_LOWEST_PRIORITY = 19


class CachedSynthesiser(Synthesiser):
    """Speaks as `other` does, and keeps the sentences that are expected: those of the persona,
    never what was made up for a visitor. While nothing is spoken it makes those that are missing,
    on a thread that gives way to all others; what is to be spoken then ends it at once.

    Args:
        other: a synthesiser whose `speak` may be called on any thread; closed with this one.
    """

    def __init__(self, other: Synthesiser, cache: SpeechCache) -> None:
        super().__init__(sample_rate=other.sample_rate)
        self.name, self.language = other.name, other.language
        self._other, self._cache = other, cache
        self._changed = threading.Condition()
        self._expected: dict[tuple[str, str], bool] = {}
        """Text and language, and whether it is still to be made."""
        self._speaking = 0
        self._ahead: SpeechStream | None = None
        """The sentence that is being made before it is wanted."""
        self._ends = False
        self._thread: threading.Thread | None = None

    @property
    def missing(self) -> int:
        """Expected sentences that are still to be made."""
        with self._changed:
            return sum(self._expected.values())

    def expect(self, texts: Iterable[str], language: str) -> None:
        """See `Synthesiser`."""
        with self._changed:
            self._expected = {
                (text, language): not self._cache.has(text, language) for text in texts
            }
            if self._thread is None and any(self._expected.values()):
                self._thread = threading.Thread(target=self._prefetch, name="prefetch", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def speak(self, text: str, language: str, stream: SpeechStream, emit: Emit) -> None:
        """See `Synthesiser.speak`."""
        if (kept := self._cache.read(text, language)) is not None:
            samples, rate = kept
            piece = round(_PIECE_S * rate)
            for first in range(0, len(samples), piece):
                if not emit(samples[first : first + piece], rate):
                    return
            return
        with self._alone():
            take = _Take(emit)
            self._other.speak(text, language, stream, take)
            if (text, language) in self._expected and not stream.cancelled:
                self._keep(text, language, take)  # before it can be made ahead

    def close(self) -> None:
        """See `Synthesiser.close`."""
        with self._changed:
            self._ends = True
            ahead, thread = self._ahead, self._thread
            self._changed.notify_all()
        if ahead is not None:
            ahead.cancel()
        super().close()
        if thread is not None:
            thread.join()
        self._other.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nothing is made ahead meanwhile."""
        with self._changed:
            self._speaking += 1
            ahead = self._ahead
        if ahead is not None:
            ahead.cancel()
        try:
            yield
        finally:
            with self._changed:
                self._speaking -= 1
                self._changed.notify_all()

    def _prefetch(self) -> None:
        """The thread: one missing sentence after the other."""
        with suppress(OSError):  # where a thread has no priority of its own, it has the process's
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
        while (sentence := self._next_missing()) is not None:
            text, language, stream = sentence
            take, failed = _Take(_until_cancelled(stream)), False
            try:
                self._other.speak(text, language, stream, take)
            except Exception:  # whoever has to hear it is told when it is to be said
                failed = True
            with self._changed:
                self._ahead = None
            if failed and not stream.cancelled:
                self._give_up(text, language)
            elif not stream.cancelled:
                self._keep(text, language, take)

    def _next_missing(self) -> tuple[str, str, SpeechStream] | None:
        with self._changed:
            while not self._ends:
                if not self._speaking:
                    for (text, language), missing in self._expected.items():
                        if missing:
                            self._ahead = SpeechStream()
                            return text, language, self._ahead
                self._changed.wait()
        return None

    def _keep(self, text: str, language: str, take: _Take) -> None:
        if take.whole and take.pieces:
            self._cache.keep(text, language, np.concatenate(take.pieces), take.rate)
        self._give_up(text, language)

    def _give_up(self, text: str, language: str) -> None:
        """It is kept, or cannot be: not to be tried again."""
        with self._changed:
            if (text, language) in self._expected:
                self._expected[text, language] = False


def _until_cancelled(stream: SpeechStream) -> Emit:
    def wants_more(samples: np.ndarray, rate: int) -> bool:
        return not stream.cancelled

    return wants_more


class _Take:
    """Passes samples on, and remembers them."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.pieces: list[np.ndarray] = []
        self.rate = 0
        self.whole = True

    def __call__(self, samples: np.ndarray, rate: int) -> bool:
        self.pieces.append(samples)
        self.rate = rate
        self.whole = self.whole and self._emit(samples, rate)
        return self.whole
