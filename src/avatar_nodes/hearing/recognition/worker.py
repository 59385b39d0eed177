"""Recognition on a thread of its own, behind a bounded queue: whoever hears never waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from avatar_nodes.hearing.recognition.recogniser import Recogniser, Recognition
from avatar_nodes.sound.audio_file import GRAPH_RATE


@dataclass(frozen=True)
class Heard:
    """A text of a turn, interim or final; every turn that began gets one final text."""

    turn: int
    recognition: Recognition
    is_final: bool
    start_ns: int
    """When the first word began (capture time)."""
    end_ns: int
    """When the last word so far ended (capture time)."""
    took_ms: float
    """How long the turn's end waited for the recogniser; 0 for an interim text."""
    settled: bool = False
    """An interim text of a pause: the final one, unless the visitor goes on. It may be empty."""


@dataclass(frozen=True)
class _Task:
    kind: Literal["sound", "pause", "end", "drop"]
    turn: int
    start_ns: int
    end_ns: int
    samples: np.ndarray
    words: bool = True
    """False: too little speech so far to be words."""


_NOTHING = np.zeros(0, np.int16)
_NO_WORDS = Recognition("", 0.0, "")


class RecognitionWorker:
    """Feeds one recogniser, turn by turn, and hands its texts out.

    In a pause the turn is recognised to its end, so that its final text is there when the silence
    has lasted long enough. A visitor who goes on is heard again from the turn's beginning.

    Args:
        recogniser: used by the worker's thread alone, and closed by it.
        on_heard: called on the worker's thread.
        on_error: called on the worker's thread with one line when the recogniser fails; the turn
            then gets a final text without words.
        interim_s: seconds of sound between two interim texts, at least those that the recogniser
            asks for; 0: only when the visitor pauses.
        backlog_s: seconds of sound that may wait; more is dropped and counted.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        *,
        on_heard: Callable[[Heard], None],
        on_error: Callable[[str], None],
        interim_s: float = 0.3,
        backlog_s: float = 20.0,
    ) -> None:
        self._recogniser = recogniser
        self._on_heard = on_heard
        self._on_error = on_error
        self._interim_s = interim_s
        self._room = round(backlog_s * GRAPH_RATE)
        self._tasks: deque[_Task] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._closing = self._busy = False
        self._since_interim = 0
        self._last_text = ""
        self._sound: list[np.ndarray] = []
        self._ready: Recognition | None = None
        self._open_other: Callable[[], Recogniser] | None = None
        self.overloads = 0
        """Runs of sound that were dropped since too much was waiting."""
        self._thread = threading.Thread(target=self._work, name="recognition", daemon=True)
        self._thread.start()

    @property
    def backlog_s(self) -> float:
        """Seconds of sound that wait."""
        return self._waiting / GRAPH_RATE

    @property
    def pause_s(self) -> float:
        """Silence after which the recogniser wants to be told of a pause [s]."""
        return self._recogniser.pause_s

    @property
    def idle(self) -> bool:
        """Nothing waits or is being recognised."""
        with self._changed:
            return not self._tasks and not self._busy

    def use(self, open_other: Callable[[], Recogniser]) -> None:
        """Go on with another recogniser from the next turn on; it is opened on the worker's thread.
        If it cannot be opened, `on_error` is called and the one at hand stays."""
        with self._changed:
            self._open_other = open_other
            self._changed.notify()

    def sound(
        self, turn: int, samples: np.ndarray, *, start_ns: int, end_ns: int, words: bool = True
    ) -> bool:
        """Hand over a turn's next samples (int16 [n]); False: dropped, too much waits.

        Args:
            words: false: what was said so far may be a cough; no interim text is made of it.
        """
        with self._changed:
            if self._waiting + len(samples) > self._room:
                self.overloads += 1
                return False
            self._put(_Task("sound", turn, start_ns, end_ns, samples, words))
            return True

    def pause(self, turn: int, *, start_ns: int, end_ns: int) -> None:
        """The visitor has stopped, perhaps for good: a moment to recognise all of it."""
        with self._changed:
            self._put(_Task("pause", turn, start_ns, end_ns, _NOTHING))

    def end(self, turn: int, *, start_ns: int, end_ns: int, words: bool) -> None:
        """The turn is over; `words` false: it holds none, and the sound need not be understood."""
        with self._changed:
            kind: Literal["end", "drop"] = "end" if words else "drop"
            self._put(_Task(kind, turn, start_ns, end_ns, _NOTHING))

    def close(self) -> None:
        """Drop what waits, and end the thread; returns when it has ended."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _put(self, task: _Task) -> None:
        self._tasks.append(task)
        self._waiting += len(task.samples)
        self._changed.notify()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                self._do(task)
            except Exception as error:
                self._on_error(_line(error))
                self._recover(task)
        self._recogniser.close()

    def _next(self) -> _Task | None:
        with self._changed:
            self._busy = False
            while not self._tasks and not self._closing:
                if self._open_other is not None and not self._sound:
                    self._exchange()
                else:
                    self._changed.wait()
            if self._closing:
                return None
            task = self._tasks.popleft()
            self._busy = True
            self._waiting -= len(task.samples)
            return task

    def _exchange(self) -> None:
        """Called with the lock, which is let go while the other recogniser opens."""
        open_other, self._open_other = self._open_other, None
        assert open_other is not None
        self._changed.release()
        try:
            other = open_other()
            self._recogniser.close()
            self._recogniser = other
        except Exception as error:
            self._on_error(_line(error))
        finally:
            self._changed.acquire()

    def _do(self, task: _Task) -> None:
        if task.kind == "sound":
            self._push(task.samples)
            self._since_interim += len(task.samples)
            if self._interim_is_due and task.words and not self._tasks:
                self._tell_interim(task)
        elif task.kind == "pause":
            if self._sound and self._ready is None and not self._tasks:
                self._ready = self._recogniser.finish()
                self._tell_settled(task, self._ready)
        elif task.kind == "end":
            started = time.perf_counter()
            recognition = self._ready or self._recogniser.finish()
            self._tell_final(task, recognition, (time.perf_counter() - started) * 1000.0)
        else:
            self._recogniser.reset()
            self._tell_final(task, _NO_WORDS, 0.0)

    @property
    def _interim_is_due(self) -> bool:
        interval_s = max(self._interim_s, self._recogniser.interim_s)
        return self._interim_s > 0 and self._since_interim >= interval_s * GRAPH_RATE

    def _push(self, samples: np.ndarray) -> None:
        """The turn's next samples; all of it once more, if it had been taken for ended."""
        self._sound.append(samples)
        if self._ready is None:
            self._recogniser.push(samples)
            return
        self._ready = None
        for piece in self._sound:
            self._recogniser.push(piece)

    def _recover(self, task: _Task) -> None:
        try:
            self._recogniser.reset()
        except Exception as error:
            self._on_error(_line(error))
        if task.kind == "pause":
            self._ready = _NO_WORDS
        elif task.kind in ("end", "drop"):
            self._tell_final(task, _NO_WORDS, 0.0)

    def _tell_interim(self, task: _Task) -> None:
        self._since_interim = 0
        text = self._recogniser.interim()
        if text and text != self._last_text:
            self._last_text = text
            recognition = Recognition(text, -1.0, "")
            self._on_heard(Heard(task.turn, recognition, False, task.start_ns, task.end_ns, 0.0))

    def _tell_settled(self, task: _Task, recognition: Recognition) -> None:
        heard = Heard(task.turn, recognition, False, task.start_ns, task.end_ns, 0.0, True)
        self._on_heard(heard)

    def _tell_final(self, task: _Task, recognition: Recognition, took_ms: float) -> None:
        self._since_interim, self._last_text = 0, ""
        self._sound, self._ready = [], None
        heard = Heard(task.turn, recognition, True, task.start_ns, task.end_ns, took_ms)
        self._on_heard(heard)


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
