"""Decides whose turn it is, what is shown of it, and when a reply is cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from avatar_nodes.conducting.conversation_table import Command, EventKind, Phase
from avatar_nodes.conducting.effects import AskAgain, Emit, Moment, SpeakSentence, TurnOrder
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.conducting.state_cycling import (
    OWN_TURN,
    Decision,
    Event,
    Order,
    PhaseLimits,
    StateCycling,
    StatePrompts,
    TurnPrompts,
)
from avatar_nodes.conducting.turn_numbers import above_all_turns, check_turn
from avatar_nodes.speaking.turn_stream import turn_of
from avatar_nodes.text.words import clean_text, has_words

_REASONER, _VOICE, _REALTIME = MAKERS = "reasoner", "voice", "realtime"
"""Nodes that make a reply."""
_MOST_SENTENCES = 512
_ASK_AGAIN_S = 2.0
"""Without a sign that it is thought about, an utterance is told a second time: whoever published it
may have been gone before the reasoner had found it."""


class Conversation:
    """Takes what the visitor does and what comes of the reply; emits TurnOrder, SpeakSentence and
    AskAgain.

    The methods that a message leads to raise RefusedError: its turn is far ahead of the clock.

    Args:
        settings: those of the conductor.
        obey: called with every command before it is told to others: hold the sound, let it go on or
            drop it; returns the first block whose sound is still to be heard.
        on_over: called when a reply is over: its turn, whether it was said to its end, why not.
        emit: takes the effects.
    """

    def __init__(
        self, settings: ConductorSettings, *, obey: Callable[[Command], int],
        on_over: Callable[[int, bool, str], None], emit: Emit,
    ) -> None:  # fmt: skip
        self._prompts = _with_idle(
            settings.prompt, settings.prompt_listening, settings.prompt_thinking,
            settings.prompt_speaking,
        )  # fmt: skip
        self._machine = StateCycling(self._prompts)
        self.adapt(settings)
        self._barge_in = settings.barge_in
        self._obey, self._on_over, self._emit = obey, on_over, emit
        self._override = ""
        self._active = False
        self._active_from_ns = 0
        self._silent_since: float | None = None
        self._said: set[int] = set()
        self._sentences: list[SpeakSentence] = []
        self._makers: dict[str, str] = {}
        self._again = False
        self._interrupted = ""
        """The stream of the avatar's own that an earlier conductor let it speak."""
        self._ending: tuple[int, int] | None = None
        self._asked: tuple[int, float] | None = None
        """The turn of an utterance of which nothing has come, and since when it is known."""

    def adapt(self, settings: ConductorSettings) -> None:
        """From now on, the time-outs of these settings hold."""
        self._machine.limits = PhaseLimits(
            listening_s=settings.listening_timeout_s,
            thinking_s=settings.thinking_timeout_s,
            speaking_s=settings.speaking_timeout_s,
            held_s=settings.held_timeout_s,
        )
        self._words_timeout_s = settings.words_timeout_s

    @property
    def busy(self) -> bool:
        """Somebody speaks or is thought about: the visitor, or the avatar."""
        return self._machine.phase not in (Phase.IDLE, Phase.PERFORMING)

    @property
    def performing(self) -> bool:
        """An action without a reply is under way."""
        return self._machine.phase is Phase.PERFORMING

    @property
    def replying(self) -> bool:
        """A reply is thought about, heard or held, up to its last sound."""
        return self._machine.phase.has_reply

    @property
    def sounding(self) -> bool:
        """A reply is heard, or about to be, and not held."""
        return self._machine.phase in (Phase.THINKING, Phase.SPEAKING)

    def speech_activity(self, at: Moment, *, active: bool, stamp_ns: int) -> None:
        """The visitor speaks, or no longer does; `stamp_ns`: since when."""
        if not self._barge_in and self._machine.phase.has_reply:
            return
        if active:
            begins, self._active, self._silent_since = not self._active, True, None
            if begins:
                self._active_from_ns = stamp_ns
            kind = EventKind.VISITOR_SPEAKS if begins else EventKind.VISITOR_GOES_ON
            self._handle(Event(kind, reason="the visitor speaks"), at.now)
        elif self._active:
            self._active, self._silent_since = False, at.now

    def utterance(self, at: Moment, *, turn: int, text: str, is_final: bool, end_ns: int) -> None:
        """What the visitor has said up to `end_ns`; a `text` without words: none were found."""
        check_turn(turn, at.unix_ms)
        if not self._barge_in and self._machine.phase.has_reply:
            return
        # Without barge-in the reasoner alone knows what it answers: its intent begins the turn.
        words = has_words(clean_text(text)) and self._barge_in
        if not is_final:
            if words and self._machine.phase.has_reply:
                self._handle(Event(EventKind.BARGE_IN, turn, "words came"), at.now)
            return
        self._silent_since = None
        # The end of this turn's activity may be behind it on its own topic.
        self._active = self._active and self._active_from_ns > end_ns
        if words:
            before = self._machine.turn
            self._handle(Event(EventKind.UTTERANCE, turn, "a new turn"), at.now)
            if before != self._machine.turn == turn:
                self._asked = turn, at.now
            if self._active:  # and speaks on beyond it
                self._handle(Event(EventKind.VISITOR_SPEAKS), at.now)
        elif not self._active:  # else the visitor speaks again: what it may come to is not known
            self._handle(Event(EventKind.VISITOR_SILENT, turn, "nothing was recognised"), at.now)

    def intent(self, at: Moment, turn: int, prompts: TurnPrompts) -> None:
        """What the reply of `turn` is to look like."""
        check_turn(turn, at.unix_ms)
        self._answered(turn)
        self._give(self._machine.intend(turn, prompts, at.now))

    def reply(self, at: Moment, sentence: SpeakSentence) -> None:
        """A sentence, which is for the voice; here counts only whether any came. It may be here
        before its utterance."""
        check_turn(sentence.turn, at.unix_ms)
        self._answered(sentence.turn)
        if self._sentences and self._sentences[0].turn != sentence.turn:
            self._sentences = []
        if sentence.index == len(self._sentences) < _MOST_SENTENCES:  # not one given again
            self._sentences.append(sentence)
        if has_words(sentence.text):
            self._said = {sentence.turn}
        elif sentence.is_last and sentence.turn not in self._said:
            self.tell(EventKind.NO_REPLY, at.now, sentence.turn, "there was nothing to say")

    def reply_cancelled(self, at: Moment, turn: int) -> None:
        """Those who make the reply of `turn` have broken it off."""
        check_turn(turn, at.unix_ms)
        self._handle(Event(EventKind.FAILED, turn, "the reply was broken off"), at.now)

    def persona(self, idle: str, listening: str, thinking: str, speaking: str) -> None:
        """The prompts of somebody else; empty: as before where idle, else as idle."""
        self._prompts = _with_idle(idle or self._prompts.idle, listening, thinking, speaking)
        self.override(self._override)

    def takes(
        self, at: Moment, stream: str, first_sample: int, samples: int, *, end_of_stream: bool
    ) -> bool:
        """Whether a chunk of so many samples is of the present reply, and not held."""
        turn = turn_of(stream)
        if turn is None:
            return False
        check_turn(turn, at.unix_ms)
        if samples and stream == self._interrupted and self._machine.phase is Phase.IDLE:
            self._interrupted = ""
            self._handle(Event(EventKind.SAY, reason="another conductor began it"), at.now)
        if samples:
            self._again = self._again and turn != self._machine.turn
            self._handle(Event(EventKind.REPLY_SOUND, turn), at.now)
        elif end_of_stream and not first_sample:
            self._handle(Event(EventKind.FAILED, turn, "the voice made no sound"), at.now)
        return turn == self._machine.turn and not self._machine.phase.held

    def alive(self, at: Moment, name: str, instance: str) -> None:
        """A sign of life of any node. With another instance of the reasoner what it thought about
        is lost; another voice is given the sentences of the reply again, from its first one on; of
        the realtime node all is lost."""
        if name not in MAKERS:
            return
        phase, turn = self._machine.phase, self._machine.turn
        said = [sentence for sentence in self._sentences if sentence.turn == turn]
        if self._makers.setdefault(name, instance) != instance:
            self._makers[name] = instance
            lost = phase.has_reply and self._ending is None
            if name == _VOICE and lost and (turn != OWN_TURN or said):  # or it came as sound
                self._obey(Command.CANCEL)
                self._again = True
            elif name == _REALTIME and lost:
                self.tell(EventKind.FAILED, at.now, turn or OWN_TURN, "its maker was restarted")
            elif name == _REASONER and turn and phase in (Phase.THINKING, Phase.HELD_THINKING):
                self.tell(EventKind.FAILED, at.now, turn, "the reasoner was restarted")
        if name == _VOICE and self._again and not phase.held:
            self._again = phase.has_reply  # until sound of it comes
            for sentence in said if self._again else ():
                self._emit(sentence)

    def override(self, prompt: str) -> None:
        """One prompt for all states, gestures excepted; empty: each its own again."""
        self._override = prompt
        self._machine.prompts = StatePrompts(*[prompt] * 4) if prompt else self._prompts

    def say(self, now: float, sentences: Sequence[str], language: str) -> None:
        """The avatar speaks on its own, cutting off what is being said; without sentences the sound
        is to come from elsewhere."""
        self._handle(Event(EventKind.SAY, reason="the operator lets the avatar speak"), now)
        last = len(sentences) - 1
        self._sentences = [
            SpeakSentence(OWN_TURN, index, text, language, is_last=index == last)
            for index, text in enumerate(sentences)
        ]
        for sentence in self._sentences:
            self._emit(sentence)

    def perform(self, now: float, prompt: str, seconds: float) -> bool:
        """Begin an action without a reply; false: somebody is in conversation."""
        return self._machine.perform(TurnPrompts(prompt, seconds=seconds), now)

    def stop(self, now: float, reason: str) -> None:
        """Break off whatever is said or thought about."""
        self._active, self._silent_since = False, None
        self._handle(Event(EventKind.RESET, reason=reason), now)

    def tell(self, kind: EventKind, now: float, turn: int = OWN_TURN, reason: str = "") -> None:
        """An event that the conductor knows of."""
        over = kind in (EventKind.REPLY_ENDED, EventKind.NO_REPLY) and turn == self._machine.turn
        self._handle(Event(kind, turn, reason), now)
        if over:
            self._on_over(turn, kind is EventKind.REPLY_ENDED, reason)

    def at_block_border(self, now: float) -> Decision:
        """What the block shows that is issued now."""
        since = self._silent_since
        silent = since is not None and now - since > self._words_timeout_s
        if silent and not self._machine.phase.held:  # a held reply waits as long as it may
            self._silent_since = None
            self._handle(Event(EventKind.VISITOR_SILENT, reason="no words"), now)
        if self._asked is not None and now - self._asked[1] > _ASK_AGAIN_S:
            (turn, _), self._asked = self._asked, None
            if self._machine.turn == turn and self._machine.phase is Phase.THINKING:
                self._emit(AskAgain(turn))
        decision = self._machine.at_block_border(now, said=self._ending is not None)
        self._give(decision.orders)
        return decision

    def coming_prompt(self, then: float) -> str | None:
        """The prompt that the next block will probably have, which is issued at `then`."""
        return self._machine.coming_prompt(then, said=self._ending is not None)

    def sounds(self, now: float) -> None:
        """A block has sound of the present reply: it has not broken off, however long it is."""
        self.tell(EventKind.REPLY_SOUND, now, self._machine.turn or OWN_TURN)

    def issued(self, block: int) -> None:
        """`block` has the last sound of the present reply; until it is heard, the reply can be
        held."""
        self._ending = (self._machine.turn or OWN_TURN, block)

    def shown(self, block: int, now: float) -> None:
        """A frame of `block` was shown, so that all before it was heard."""
        if self._ending is not None and block > self._ending[1]:
            turn, self._ending = self._ending[0], None
            self.tell(EventKind.REPLY_ENDED, now, turn)

    def take_over(self, unix_ms: int, stream: str) -> None:
        """Another conductor was here before. A reply that it held goes on: nobody else would tell
        it to, and words that came meanwhile are for the reasoner to answer. `stream` is what it let
        speak last: if more of it comes, it goes on, though no turn tells of it."""
        self._interrupted = stream if turn_of(stream) == OWN_TURN else ""
        for turn in (OWN_TURN, above_all_turns(unix_ms)):
            self._emit(TurnOrder(Command.RESUME, turn, 0, "another conductor"))

    def _answered(self, turn: int) -> None:
        if self._asked is not None and self._asked[0] <= turn:
            self._asked = None

    def _handle(self, event: Event, now: float) -> None:
        self._give(self._machine.handle(event, now))

    def _give(self, orders: tuple[Order, ...]) -> None:
        for order in orders:
            self._ending = None
            first_block = self._obey(order.command)
            self._emit(TurnOrder(order.command, order.turn, first_block, order.reason))
            if order.command is Command.CANCEL:
                self._on_over(order.turn, False, order.reason)


def _with_idle(idle: str, listening: str, thinking: str, speaking: str) -> StatePrompts:
    """Each state's prompt; where it is empty, that of idleness."""
    return StatePrompts(idle, listening or idle, thinking or idle, speaking or idle)
