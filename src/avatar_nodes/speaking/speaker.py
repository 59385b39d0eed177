"""Speaks replies: one at a time, sentence by sentence, held, resumed or dropped at any moment."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from avatar_nodes.speaking.reply_order import ReplyOrder, Sentence
from avatar_nodes.speaking.reply_outlet import ReplyOutlet
from avatar_nodes.speaking.speech_stream import SpeechStream
from avatar_nodes.speaking.spoken_reply import MAX_REPLY_S, SpeechRun, SpokenReply
from avatar_nodes.speaking.synthesis.synthesiser import Synthesiser, UnspokenLanguageError
from avatar_nodes.text.speakable import speakable

_REPORTS = 256
_TRY_AGAIN_S = 20.0


@dataclass(frozen=True)
class SentenceReport:
    """How a sentence fared."""

    turn: int
    index: int
    made_s: float
    """Seconds that the backend took."""
    sound_s: float
    """Seconds of sound that it made."""
    error: str = ""
    """What went wrong, in one line; empty: nothing."""
    unspoken: bool = False
    """The synthesiser has no voice for its language."""


class Speaker:
    """Takes the sentences of replies and gives samples to be sent; a thread of its own synthesises.

    One reply is spoken at a time: a newer turn's replaces the one before. Turn 0 is what the avatar
    says on its own: its sentence 0 replaces whatever is spoken, and the next turn replaces it in
    turn. A stream of which something went out is always ended. All methods may be called from any
    thread; times are seconds of `time.monotonic`.

    Args:
        chunk_samples: samples of a run at most.
        lead_s: how much of a reply goes out before it is demanded [s].
        ahead_s: how far synthesis may be ahead of what was sent [s].
        sentence_pause_s: silence between two sentences [s].
        gap_s: how long to wait for a sentence that is missing among those that came [s].
        patience_s: how long to wait for the next sentence of a reply before it is ended [s].
        on_sound: called, on the synthesis thread, when there may be something to send.
        stand_in: speaks the sentences that the synthesiser cannot. When one has failed, it is not
            tried again for a while, unless it has no voice for that sentence's language.
    """

    def __init__(
        self,
        synthesiser: Synthesiser,
        *,
        chunk_samples: int = 640,
        lead_s: float = 1.0,
        ahead_s: float = 10.0,
        sentence_pause_s: float = 0.2,
        gap_s: float = 0.5,
        patience_s: float = 20.0,
        on_sound: Callable[[], None] = lambda: None,
        stand_in: Synthesiser | None = None,
    ) -> None:
        self._synthesiser = synthesiser
        self._stand_in = stand_in
        self._trouble, self._try_again_at = "", 0.0
        self._rate = synthesiser.sample_rate
        self._ahead = round(max(lead_s, ahead_s) * self._rate)
        self._pause = np.zeros(round(sentence_pause_s * self._rate), np.int16)
        self._gap_s, self._patience_s = gap_s, patience_s
        self._on_sound = on_sound
        self._changed = threading.Condition()
        self._outlet = ReplyOutlet(
            sample_rate=self._rate, chunk_samples=chunk_samples, lead_s=lead_s
        )
        self._order = self._new_order()
        self._under_way: SpeechStream | None = None
        self._reports: deque[SentenceReport] = deque(maxlen=_REPORTS)
        self._closing = False
        self.given_up = 0
        """Replies ended because their rest did not come."""
        self._thread = threading.Thread(target=self._work, name="speaker", daemon=True)
        self._thread.start()

    @property
    def reply(self) -> SpokenReply | None:
        """The reply that is, or was last, spoken; to be looked at only."""
        return self._outlet.reply

    @property
    def waiting(self) -> int:
        """Sentences of it that came and are not being spoken yet."""
        return self._order.waiting

    @property
    def held(self) -> bool:
        """Whether that reply is held."""
        with self._changed:
            return self._outlet.held

    def reports(self) -> list[SentenceReport]:
        """What became of the sentences spoken since the last call, oldest first."""
        with self._changed:
            reports = list(self._reports)
            self._reports.clear()
        return reports

    def say(
        self, turn: int, index: int, text: str, *, language: str = "", is_last: bool = False
    ) -> bool:
        """Take sentence `index` of the reply of `turn`; false: it was had, or its turn is over."""
        with self._changed:
            if not self._belongs(turn, index):
                return False
            taken = self._order.add(Sentence(index, text, language), is_last=is_last)
            self._changed.notify_all()
            return taken

    @property
    def unprepared(self) -> int:
        """See `Synthesiser.missing`."""
        return self._synthesiser.missing

    def expect(self, sentences: Iterable[str], language: str) -> None:
        """Sentences that will be wanted one day; see `Synthesiser.expect`."""
        spoken_in = language or self._synthesiser.language
        texts = (speakable(sentence, spoken_in) for sentence in sentences)
        self._synthesiser.expect(filter(None, texts), language)

    def pause(self, turn: int) -> None:
        """See `ReplyOutlet.pause`."""
        with self._changed:
            self._outlet.pause(turn)

    def resume(self, turn: int) -> None:
        """See `ReplyOutlet.resume`."""
        with self._changed:
            self._outlet.resume(turn)
            self._changed.notify_all()

    def cancel(self, turn: int) -> None:
        """See `ReplyOutlet.cancel`."""
        with self._changed:
            if self._outlet.cancel(turn):
                self._break_off()

    def demand(self, stream: str, next_sample: int, limit_sample: int) -> bool:
        """See `ReplyOutlet.demand`. Raises RefusedError."""
        with self._changed:
            taken = self._outlet.demand(stream, next_sample, limit_sample, time.monotonic())
            if taken:
                self._changed.notify_all()
            return taken

    def poll(self) -> list[SpeechRun]:
        """What is to be sent now, in this order."""
        with self._changed:
            runs = self._outlet.poll(time.monotonic())
            if runs:
                self._changed.notify_all()
            return runs

    def close(self) -> None:
        """End the synthesis, its thread, and the synthesiser."""
        with self._changed:
            self._closing = True
            if self._under_way is not None:
                self._under_way.cancel()
            self._changed.notify_all()
        self._thread.join()
        self._synthesiser.close()
        if self._stand_in is not None:
            self._stand_in.close()

    def _new_order(self) -> ReplyOrder:
        return ReplyOrder(gap_s=self._gap_s, patience_s=self._patience_s)

    def _belongs(self, turn: int, index: int) -> bool:
        """Whether a sentence is of the reply that is spoken, which is begun if it is the first."""
        reply = self._outlet.reply
        own_again = turn == 0 and index == 0 and reply is not None and (
            reply.dropped or self._order.announced
        )  # fmt: skip
        if reply is not None and reply.turn == turn and not own_again:
            return not reply.dropped
        if turn == 0 and index > 0:
            return False
        if not self._outlet.begin(turn, time.monotonic()):
            return False
        self._order = self._new_order()
        self._break_off()
        return True

    def _break_off(self) -> None:
        """The reply that was under way is not wanted any more."""
        if self._under_way is not None:
            self._under_way.cancel()
        self._changed.notify_all()

    def _work(self) -> None:
        """The thread: the next sentence, whenever there is one and room for it."""
        while (job := self._next_sentence()) is not None:
            reply, sentence = job
            text = speakable(sentence.text, sentence.language or self._synthesiser.language)
            if text:
                report = self._speak(reply, sentence, text)
                with self._changed:
                    self._reports.append(report)

    def _next_sentence(self) -> tuple[SpokenReply, Sentence] | None:
        with self._changed:
            while not self._closing:
                wake_at = None
                reply = self._outlet.reply
                if reply is not None and not reply.track.finished and self._has_room(reply):
                    now = time.monotonic()
                    sentence = self._order.take(now)
                    if sentence is not None:
                        return reply, sentence
                    self._finish_if_over(reply, now)
                    wake_at = self._order.wakes_at()
                self._changed.wait(None if wake_at is None else max(0.0, wake_at - now))
        return None

    def _finish_if_over(self, reply: SpokenReply, now: float) -> None:
        given_up = self._order.given_up(now, held=self._outlet.held)
        if self._order.complete or given_up:
            self.given_up += given_up
            reply.track.finish()
            self._on_sound()

    def _has_room(self, reply: SpokenReply) -> bool:
        return reply.ahead < self._ahead

    def _speak(self, reply: SpokenReply, sentence: Sentence, text: str) -> SentenceReport:
        """Of a sentence that the stand-in spoke the report has what went wrong before; that the
        voice has none for its language is nothing wrong."""
        if self._stand_in is None:
            return self._speak_with(self._synthesiser, reply, sentence, text)
        tries = time.monotonic() >= self._try_again_at
        if tries:
            report = self._speak_with(self._synthesiser, reply, sentence, text)
            if report.unspoken:
                return self._speak_with(self._stand_in, reply, sentence, text)
            if not report.error or report.sound_s:
                return report
            self._trouble = report.error
        spoken = self._speak_with(self._stand_in, reply, sentence, text)
        if tries and spoken.sound_s:  # it was not the text
            self._try_again_at = time.monotonic() + _TRY_AGAIN_S
        return replace(spoken, error=self._trouble)

    def _speak_with(
        self, synthesiser: Synthesiser, reply: SpokenReply, sentence: Sentence, text: str
    ) -> SentenceReport:
        made, error, unspoken, stream = 0, "", False, None
        try:
            stream = synthesiser.synthesise(text, sentence.language)
            with self._changed:
                self._under_way = stream
                if reply.dropped or self._closing:
                    stream.cancel()
            for samples in stream:
                if not self._append(reply, samples, begins=made == 0):
                    break
                made += len(samples)
        except Exception as problem:  # a backend's fault costs its sentence, never the thread
            error = " ".join(str(problem).split()) or type(problem).__name__
            unspoken = isinstance(problem, UnspokenLanguageError)
        made_s = 0.0 if stream is None else stream.made_s
        if stream is not None:
            stream.cancel()
        with self._changed:
            self._under_way = None
        sound_s = made / self._rate
        return SentenceReport(reply.turn, sentence.index, made_s, sound_s, error, unspoken)

    def _append(self, reply: SpokenReply, samples: np.ndarray, *, begins: bool) -> bool:
        """Add samples to the reply, waiting for room; false: they are not wanted any more."""
        with self._changed:
            while not (self._closing or reply.dropped or self._has_room(reply)):
                self._changed.wait()
            if self._closing or reply.dropped:
                return False
            if reply.track.end > MAX_REPLY_S * self._rate:
                reply.track.finish()
                raise ValueError(
                    f"the reply is longer than {MAX_REPLY_S:g} s: the rest is left out"
                )
            if begins and reply.track.end:
                reply.track.append(self._pause)
            reply.track.append(samples)
        self._on_sound()
        return True
