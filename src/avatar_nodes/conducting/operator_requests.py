"""Carries out what an operator, or another program, asks of a conversing avatar: to speak, act,
stop."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avatar_nodes.conducting.conversation import Conversation
from avatar_nodes.conducting.conversation_table import EventKind
from avatar_nodes.conducting.effects import (
    Emit,
    Moment,
    PerformFeedback,
    PerformOver,
    SayFeedback,
    SayOver,
)
from avatar_nodes.conducting.own_speech import OwnSpeech
from avatar_nodes.conducting.speech_intake import SpeechIntake
from avatar_nodes.conducting.state_cycling import OWN_TURN
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.text.words import has_words

_FEEDBACK_S = 0.2
_DEFAULT_DURATION_S = 2.88
"""Six blocks: what a gesture takes in the clips that the shipped model learned from."""


@dataclass(frozen=True, eq=False)
class SaySound:
    """Speech that is handed over whole."""

    stream: str
    """Id of a stream of OWN_TURN, never used before."""
    samples: np.ndarray
    """int16 [n * channels], interleaved."""
    sample_rate: int
    channels: int


@dataclass(frozen=True, eq=False)
class SayRequest:
    """What is to be said: `text` if it has words, else `sound`."""

    text: str
    language: str = ""
    """BCP 47; empty: the voice's own."""
    interrupt: bool = False
    """Cut off what is being said; else wait for its end."""
    sound: SaySound | None = None

    @property
    def has_words(self) -> bool:
        """Whether there is anything in the text that can be spoken."""
        return has_words(self.text)


@dataclass
class _Saying:
    """A request to speak that has not ended."""

    id: int
    request: SayRequest
    cancelled: bool = False
    told_at: float = -math.inf
    before: str = ""
    """The stream that was spoken last, which is the intake's until the sound of this one comes."""
    heard_s: float = 0.0


@dataclass
class _Performance:
    """The action under way."""

    id: int
    seconds: float
    first_block: int
    last_block: int
    cancelled: bool = False
    told_at: float = -math.inf


class OperatorRequests:
    """Emits SayFeedback and PerformFeedback while a request goes on, and for each request once
    SayOver or PerformOver. Whoever asks chooses the request's id.

    Speech waits for its turn unless it may interrupt; an action is performed only while nobody is
    in conversation.

    Args:
        conversation, intake: the conductor's.
        split: text and language to sentences.
        next_block: the block that will be issued next.
        heard_s: of the stream that is spoken, what is in blocks that were shown [s].
        block_s: length of a block [s].
        emit: takes the effects.
    """

    def __init__(
        self, conversation: Conversation, intake: SpeechIntake, *,
        split: Callable[[str, str], list[str]], next_block: Callable[[], int],
        heard_s: Callable[[], float], block_s: float, emit: Emit,
    ) -> None:  # fmt: skip
        self._conversation = conversation
        self._intake = intake
        self._split = split
        self._next_block = next_block
        self._heard_s = heard_s
        self._block_s = block_s
        self._emit = emit
        self._waiting: deque[_Saying] = deque()
        self._speaking: _Saying | None = None
        self._own: OwnSpeech | None = None
        self._performance: _Performance | None = None

    def say(self, id: int, request: SayRequest) -> None:
        """Speak as soon as it may be."""
        urgent = sum(other.request.interrupt for other in self._waiting)
        place = urgent if request.interrupt else len(self._waiting)
        self._waiting.insert(place, _Saying(id, request))

    def perform(self, at: Moment, id: int, prompt: str, seconds: float) -> None:
        """Act under `prompt` for so long; 0: as long as a gesture takes."""
        seconds = seconds or _DEFAULT_DURATION_S
        if not prompt.strip():
            self._emit(PerformOver(id, False, "prompt: expected words, got nothing"))
        elif not 0.0 < seconds < math.inf:
            self._emit(PerformOver(id, False, f"duration: expected seconds, got {seconds:g}"))
        elif self._performance or not self._conversation.perform(at.now, prompt, seconds):
            busy = "the avatar is busy: it performs only while nobody talks with it"
            self._emit(PerformOver(id, False, busy))
        else:
            first = self._next_block()
            self._performance = _Performance(id, seconds, first, first - 1)

    def cancel(self, id: int) -> None:
        """The request is not wanted any more; the next `tick` ends it."""
        for request in (*self._waiting, self._speaking, self._performance):
            if request is not None and request.id == id:
                request.cancelled = True

    def interrupt(self, at: Moment) -> bool:
        """Break off what is said or thought about; false: nothing was."""
        busy = self._conversation.busy
        self._conversation.stop(at.now, "interrupted by an operator")
        return busy

    def reset(self, at: Moment) -> None:
        """Begin anew: nothing is said, and each state has its own prompt again."""
        self._conversation.stop(at.now, "reset by an operator")
        self._conversation.override("")

    def close(self, at: Moment) -> None:
        """End every request: the avatar is going down."""
        reason = "the avatar is going down"
        while self._waiting:
            self._emit(SayOver(self._waiting.popleft().id, False, reason))
        self._end_speech(False, reason)
        if self._performance is not None:
            self._end_performance(self._performance, at.now, reason)

    def tick(self, now: float) -> None:
        """Do what has become possible; to be called often."""
        self._speak(now)
        self._feed(now)
        if self._performance is not None:
            self._go_on_performing(self._performance, now)

    def reply_over(self, turn: int, complete: bool, reason: str) -> None:
        """What was said as `turn` is over: to its end, or why not."""
        if turn == OWN_TURN:
            self._end_speech(complete, "" if complete else reason)

    def _speak(self, now: float) -> None:
        """Drop what is cancelled, begin the first that waits when it may; feedback."""
        for saying in [saying for saying in self._waiting if saying.cancelled]:
            self._waiting.remove(saying)
            self._emit(SayOver(saying.id, False, "cancelled"))
        if self._waiting and (self._waiting[0].request.interrupt or not self._conversation.busy):
            self._begin_saying(self._waiting.popleft(), now)
        if self._speaking is not None:
            self._go_on_saying(self._speaking, now)

    def _begin_saying(self, saying: _Saying, now: float) -> None:
        request, sound = saying.request, saying.request.sound
        saying.before = self._intake.stream
        if request.has_words:
            sentences = self._split(request.text, request.language or "en")
            self._conversation.say(now, sentences, request.language)
            self._speaking, self._own = saying, None
        elif sound is not None:
            self._conversation.say(now, (), request.language)
            self._speaking = saying
            self._intake.drop()
            self._own = OwnSpeech(
                sound.samples, stream=sound.stream, sample_rate=sound.sample_rate,
                channels=sound.channels, graph_rate=self._intake.sample_rate,
            )  # fmt: skip
            self._conversation.tell(EventKind.REPLY_SOUND, now)
        else:
            self._emit(SayOver(saying.id, False, "text: expected words, or audio, got nothing"))

    def _go_on_saying(self, saying: _Saying, now: float) -> None:
        began = self._note_heard(saying)
        if saying.cancelled:
            self._conversation.stop(now, "the request was cancelled")
            self._end_speech(False, "cancelled")
        elif now - saying.told_at >= _FEEDBACK_S:
            saying.told_at = now
            said = saying.request.text if began and self._intake.over else ""
            received_s = self._intake.received_s if began else 0.0
            self._emit(SayFeedback(saying.id, said, saying.heard_s, received_s))

    def _note_heard(self, saying: _Saying) -> bool:
        """Whether its own sound has begun. What is broken off is soon forgotten, and so noted while
        it is heard."""
        began = self._intake.stream != saying.before
        if began:
            saying.heard_s = max(saying.heard_s, self._heard_s())
        return began

    def _feed(self, now: float) -> None:
        """Sound that came with the request, as far as there is room for it."""
        own, intake = self._own, self._intake
        if own is None or not self._conversation.sounding:
            return
        first = intake.next_sample if intake.stream == own.stream else 0
        samples, last = own.piece(first, intake.room)
        if not len(samples):
            return
        try:
            intake.take(own.stream, first, samples, end_of_stream=last)
        except RefusedError as error:
            self._conversation.stop(now, f"audio: {error}")
            self._end_speech(False, f"audio: {error}")

    def _end_speech(self, success: bool, message: str) -> None:
        saying, self._speaking, self._own = self._speaking, None, None
        if saying is not None:
            self._note_heard(saying)
            self._emit(SayOver(saying.id, success, message, saying.heard_s))

    def _go_on_performing(self, action: _Performance, now: float) -> None:
        action.last_block = self._next_block() - 1
        shown = action.last_block + 1 - action.first_block
        left_s = action.seconds - shown * self._block_s
        if action.cancelled:
            self._end_performance(action, now, "cancelled")
        elif not self._conversation.performing:
            self._end_performance(action, now, "a conversation began")
        elif left_s <= 0.0:
            self._end_performance(action, now)
        else:
            # However long it takes, it is not forgotten.
            self._conversation.tell(EventKind.PERFORM, now)
            if now - action.told_at >= _FEEDBACK_S:
                action.told_at = now
                self._emit(PerformFeedback(action.id, shown, left_s))

    def _end_performance(self, action: _Performance, now: float, failure: str = "") -> None:
        self._performance = None
        self._conversation.tell(EventKind.PERFORMED, now)
        blocks = action.first_block, action.last_block
        made = blocks if action.first_block <= action.last_block else ()
        self._emit(PerformOver(action.id, not failure, failure, *made))
