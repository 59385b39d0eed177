"""Makes replies on a thread of its own: one at a time, the newest turn first, held or dropped as it
is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from avatar_nodes.errors.refused_error import LeftoverError, RefusedError
from avatar_nodes.mind.dialogue import Dialogue
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import (
    Began,
    Done,
    Intention,
    Reasoner,
    Request,
    Sentence,
    Thought,
)
from avatar_nodes.mind.reply import Reply, ReplyOutput
from avatar_nodes.mind.utterance_parts import Span, UtteranceParts
from avatar_nodes.text.words import clean_text, has_words

_PATIENCE_S = 10.0


class Measures(Protocol):
    """Where counts and times go."""

    def sample(self, name: str, value: float) -> None:
        """Add to a distribution."""
        ...

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        ...

    def gauge(self, name: str, value: float) -> None:
        """Set a momentary value."""
        ...


class ReplyRunner:
    """Between what is heard and a reasoner. Every method returns at once; `close` waits for the
    thread.

    A newer turn cancels an older one. What is held is still thought out. An utterance that was not
    understood (no words, or a confidence below `min_confidence`) is answered by the persona's
    `pardon`, once; the next such utterances in a row by silence: an empty last segment. One without
    words while the avatar is busy with another turn, or holds it, was a cough, and is passed over.

    Who goes on after a short pause has made two turns of one utterance: the second is answered as
    the whole of it, and what was answered to the first is taken back from the dialogue.

    Args:
        dialogue_turns: how many exchanges are remembered; 0: none.
        min_confidence: lowest confidence of the recogniser, 0..1; one below 0 counts as none given.
        forget_after_s: the dialogue is forgotten when nobody has said anything for so long, since
            the next one who speaks is somebody else; 0: never.
        join_s: longest pause within an utterance [s], short enough that next to nothing of an
            answer can have been heard; 0: every turn is an utterance.
    """

    def __init__(
        self,
        reasoner: Reasoner,
        phrasebook: Phrasebook,
        output: ReplyOutput,
        measures: Measures,
        *,
        dialogue_turns: int = 8,
        min_confidence: float = 0.0,
        forget_after_s: float = 0.0,
        join_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reasoner = reasoner
        self._phrasebook = phrasebook
        self._output = output
        self._measures = measures
        self._min_confidence = min_confidence
        self._clock = clock
        self._dialogue = Dialogue(dialogue_turns)
        self._forget_after_s = forget_after_s
        self._last_said = clock()
        self._parts = UtteranceParts(join_s)
        self._answered: Reply | None = None
        """The reply to the parts so far."""
        self._newest = 0
        self._held_up_to = -1
        self._cough_due = False
        """A reply was held, and what held it is not heard of yet: it may come after the reply has
        gone on."""
        self._dropped_turn = -1
        self._pardoned = False
        self._reply: Reply | None = None
        self._next: Reply | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="reply runner", daemon=True)
        self._thread.start()

    def hear(
        self,
        turn: int,
        text: str,
        *,
        span: Span | None = None,
        confidence: float = -1.0,
        state: str = "",
        busy: bool = False,
    ) -> None:
        """Answer what the visitor said in `turn`; `span`: when he did, None if he wrote it; `busy`:
        an earlier turn is still being answered, as far as the visitor hears.

        Raises:
            RefusedError: the turn is not newer than the newest one (`stale`), or not above 0
                (`turn`).
        """
        with self._changed:
            text = clean_text(text)
            if turn <= 0:
                raise RefusedError("turn", f"turn {turn}: expected 1 or more")
            if turn <= self._newest:
                raise LeftoverError("stale", f"turn {turn} after turn {self._newest}")
            self._newest = turn
            held = 0 <= self._held_up_to < turn or self._cough_due
            self._cough_due = False
            if (busy or held) and not has_words(text):
                self._measures.count("coughs")
                return
            if self._reply is not None:
                if not self._reply.finished:
                    self._cancel_reply()
                elif busy:
                    self._cut_short(self._reply)
            if 0.0 < self._forget_after_s < self._clock() - self._last_said:
                self.forget()
            self._last_said = self._clock()
            kind, whole = self._kind(text, confidence), text
            if kind == "answer":
                whole = self._whole(whole, span)
            request = Request(whole, self._dialogue.exchanges, state or "thinking", latest=text)
            reply = Reply(turn, request, kind, self._output, self._clock())
            if kind == "answer":
                self._answered = reply
            reply.held = turn <= self._held_up_to
            self._reply = self._next = reply
            if turn == self._dropped_turn:
                self._cancel_reply()
            self._changed.notify_all()

    def pause(self, turn: int) -> None:
        """Give nothing of `turn` and earlier ones until `resume` or a newer turn; 0: what is held
        the avatar says on its own."""
        with self._changed:
            self._held_up_to = max(self._held_up_to, turn)
            self._cough_due = turn == 0 or self._newest <= turn
            if self._reply is not None and self._reply.turn <= turn:
                self._reply.hold()

    def resume(self, turn: int) -> None:
        """Go on with what `pause` held."""
        with self._changed:
            if turn >= self._held_up_to:
                self._held_up_to = -1
                if self._reply is not None:
                    self._reply.release()

    def cancel(self, turn: int) -> None:
        """Drop `turn` and earlier ones, even when they are not heard of yet."""
        with self._changed:
            if turn >= self._held_up_to:
                self._held_up_to, self._cough_due = -1, False
            if self._reply is not None and self._reply.turn <= turn:
                self._cut_short(self._reply)
                self._cancel_reply()
            if turn > self._newest:
                self._dropped_turn = turn

    def forget(self) -> None:
        """Forget the dialogue: somebody else comes."""
        with self._changed:
            self._dialogue.forget()
            self._parts.forget()
            self._pardoned = False

    def become(self, reasoner: Reasoner, phrasebook: Phrasebook) -> None:
        """Another persona answers from now on; what the one before has not given out is dropped,
        and the dialogue forgotten. The reasoner before stays open."""
        with self._changed:
            if (reply := self._reply) is not None and (reply.held or not reply.finished):
                self._cancel_reply()
            self._reasoner, self._phrasebook = reasoner, phrasebook
            self.forget()

    def adapt(self, *, min_confidence: float, forget_after_s: float) -> None:
        """From now on, these hold."""
        with self._changed:
            self._min_confidence, self._forget_after_s = min_confidence, forget_after_s

    def reset(self) -> None:
        """Drop everything, and begin anew with whatever turn comes."""
        with self._changed:
            if self._reply is not None and not self._reply.finished:
                self._cancel_reply()
            self._reply, self._newest, self._held_up_to, self._dropped_turn = None, 0, -1, -1
            self._cough_due = False
            self.forget()

    def close(self) -> None:
        """Drop everything and end the thread; the reasoner stays open."""
        with self._changed:
            self._closing = True
            if self._reply is not None and not self._reply.finished:
                self._cancel_reply()
            self._changed.notify_all()
        self._thread.join(_PATIENCE_S)

    def _whole(self, text: str, span: Span | None) -> str:
        """The utterance that `text` is, or ends; half of it was not worth an answer."""
        before = self._answered
        if self._parts.goes_on(text, span) and before is not None and before.remembered:
            self._dialogue.take_back()
        return self._parts.add(text, span)

    def _kind(self, text: str, confidence: float) -> str:
        if has_words(text) and not 0.0 <= confidence < self._min_confidence:
            self._pardoned = False
            return "answer"
        self._measures.count("not_understood")
        silent, self._pardoned = self._pardoned, True
        return "silence" if silent else "pardon"

    def _cancel_reply(self) -> None:
        reply = self._reply
        assert reply is not None
        if not reply.cancelled:
            if not reply.finished:
                self._measures.count("cancelled")
                self._remember(reply)
            reply.cancel()

    def _cut_short(self, reply: Reply) -> None:
        """It was thought out, but not heard to its end."""
        if reply.finished and reply.kind == "answer" and reply.said:
            self._dialogue.cut_short()

    def _remember(self, reply: Reply) -> None:
        if reply.kind == "answer" and reply.said:
            reply.remembered = True
            self._dialogue.add(reply.request.utterance, " ".join(reply.said))

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._next is not None)
                if self._closing:
                    return
                reply, self._next = self._next, None
            assert reply is not None
            self._make(reply)

    def _make(self, reply: Reply) -> None:
        """Think a reply out; what goes wrong in the backend ends this reply alone."""
        try:
            for thought in self._thoughts(reply):
                with self._changed:
                    self._take(reply, thought)
                if reply.over:
                    return
        except Exception as error:
            detail = f"{type(error).__name__}: {error}".replace("\n", " ")
            with self._changed:
                for words in self._phrasebook.fallback_words("trouble", reply.request):
                    reply.give(words.text)
                self._take(reply, Done("internal", detail))

    def _thoughts(self, reply: Reply) -> Iterator[Thought]:
        if reply.kind == "answer":
            with self._changed:
                if reply.cancelled:
                    return
                reply.thinking = self._reasoner.think(reply.request)
            yield from reply.thinking
            return
        if reply.kind == "pardon":
            yield from self._phrasebook.fallback("pardon", reply.request)
        yield Done()

    def _take(self, reply: Reply, thought: Thought) -> None:
        """Pass a thought on; called with the lock."""
        if reply.over:
            return
        elapsed_ms = (self._clock() - reply.began) * 1000.0
        if isinstance(thought, Began):
            self._measures.sample("first_token_ms", elapsed_ms)
        elif isinstance(thought, Intention):
            if thought.confidence is not None:
                self._measures.gauge("confidence", thought.confidence)
            if thought.name in ("unknown", "trouble"):
                self._measures.count("fallbacks")
            reply.give(thought)
        elif isinstance(thought, Sentence):
            if not reply.said:
                self._measures.sample("first_segment_ms", elapsed_ms)
            reply.give(thought.text)
        else:
            self._finish(reply, thought, elapsed_ms)

    def _finish(self, reply: Reply, done: Done, elapsed_ms: float) -> None:
        if reply.kind == "answer":
            self._measures.sample("reply_ms", elapsed_ms)
        self._measures.count("replies")
        if done.problem:
            self._measures.count(f"problem/{done.problem}")
            self._output.complain(reply.turn, done.problem, done.detail)
        self._remember(reply)
        self._last_said = self._clock()
        reply.finish()
