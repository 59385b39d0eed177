"""The conductor's part in a conversation: whose turn it is, what is shown, when a reply is cut."""

from __future__ import annotations

import time
from collections.abc import Callable

from avatar_msgs.msg import (
    AudioChunk,
    Intent,
    Persona,
    ReplySegment,
    SpeechActivity,
    TurnControl,
    Utterance,
)
from avatar_nodes.conducting.conversation_table import Command, EventKind, Phase
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
from avatar_nodes.mind.sentences import split_sentences
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.turn_numbers import above_all_turns, check_turn
from avatar_nodes.speaking.turn_stream import turn_of
from avatar_nodes.wire import topics
from avatar_nodes.wire.stamp import nanoseconds

_REASONER, _VOICE = "reasoner", "voice"


class Conversation:
    """`user/speech_activity`, `user/utterance`, `intent`, `reply` and `persona` in; `turn/control`
    out.

    obey: called with every order before it is told to others: hold the sound, let it go on or drop
    it; returns the first block whose sound is still to be heard.
    """

    def __init__(
        self, node: AvatarNode[ConductorSettings], *, obey: Callable[[Command], int]
    ) -> None:
        settings = node.settings
        idle = settings.prompt
        self._prompts = StatePrompts(
            idle,
            settings.prompt_listening or idle,
            settings.prompt_thinking or idle,
            settings.prompt_speaking or idle,
        )
        self._machine = StateCycling(
            self._prompts,
            PhaseLimits(
                listening_s=settings.listening_timeout_s,
                thinking_s=settings.thinking_timeout_s,
                speaking_s=settings.speaking_timeout_s,
                held_s=settings.held_timeout_s,
            ),
        )
        self._override = ""
        self._node = node
        self._obey = obey
        self._words_timeout_s = settings.words_timeout_s
        self._barge_in = settings.barge_in
        self._active = False
        self._active_from_ns = 0
        self._silent_since: float | None = None
        self._said: set[int] = set()
        self._sentences: list[ReplySegment] = []
        self._makers: dict[str, str] = {}
        self._again = False
        self._ending: tuple[int, int] | None = None
        self.on_over: Callable[[int, bool, str], None] = lambda turn, complete, reason: None
        """Called when a reply is over: its turn, whether it was said to its end, why not."""
        self._reply_out = node.publisher(topics.REPLY)
        self._control_out = node.publisher(topics.TURN_CONTROL)

    def start(self) -> None:
        """Subscribe."""
        listen = self._node.listen
        listen(topics.SPEECH_ACTIVITY, self._on_activity)
        listen(topics.UTTERANCE, self._on_utterance)
        # Not what was intended before this node came: that turn is over, or comes again with sound.
        listen(topics.INTENT, self._on_intent)
        listen(topics.REPLY, self._on_reply)
        listen(topics.PERSONA, self._on_persona)

    def override(self, prompt: str) -> None:
        """One prompt for all states, gestures excepted; empty: each its own again."""
        self._override = prompt
        self._machine.prompts = StatePrompts(*[prompt] * 4) if prompt else self._prompts

    def takes(self, msg: AudioChunk) -> bool:
        """Whether a chunk of speech is of the present reply, and not held."""
        turn = turn_of(msg.stream)
        if turn is None:
            return False
        check_turn(turn)
        if len(msg.data):
            self._again = self._again and turn != self._machine.turn
            self._handle(Event(EventKind.REPLY_SOUND, turn))
        elif msg.end_of_stream and not msg.first_sample:
            self._handle(Event(EventKind.FAILED, turn, "the voice made no sound"))
        return turn == self._machine.turn and not self._machine.phase.held

    def alive(self, name: str, instance: str) -> None:
        """A sign of life of any node. With another instance of the reasoner what it thought about
        is lost; another voice is given the sentences of the reply again, from its first one on."""
        if name not in (_REASONER, _VOICE):
            return
        phase, turn = self._machine.phase, self._machine.turn
        said = [sentence for sentence in self._sentences if sentence.turn == turn]
        if self._makers.setdefault(name, instance) != instance:
            self._makers[name] = instance
            lost = phase.has_reply and self._ending is None
            if name == _VOICE and lost and (turn != OWN_TURN or said):  # or it came as sound
                self._obey(Command.CANCEL)
                self._again = True
            elif name == _REASONER and turn and phase in (Phase.THINKING, Phase.HELD_THINKING):
                self.tell(EventKind.FAILED, turn, "the reasoner was restarted")
        if name == _VOICE and self._again and not phase.held:
            self._again = phase.has_reply  # until sound of it comes
            for sentence in said if self._again else ():
                self._reply_out.publish(sentence)

    def tell(self, kind: EventKind, turn: int = OWN_TURN, reason: str = "") -> None:
        """An event that the conductor knows of."""
        over = kind in (EventKind.REPLY_ENDED, EventKind.NO_REPLY) and turn == self._machine.turn
        self._handle(Event(kind, turn, reason))
        if over:
            self.on_over(turn, kind is EventKind.REPLY_ENDED, reason)

    def sounds(self) -> None:
        """A block has sound of the present reply: it has not broken off, however long it is."""
        self.tell(EventKind.REPLY_SOUND, self._machine.turn or OWN_TURN)

    def issued(self, block: int) -> None:
        """`block` has the last sound of the present reply; until it is heard, the reply can be
        held."""
        self._ending = (self._machine.turn or OWN_TURN, block)

    def shown(self, block: int) -> None:
        """A frame of `block` was shown, so that all before it was heard."""
        if self._ending is not None and block > self._ending[1]:
            turn, self._ending = self._ending[0], None
            self.tell(EventKind.REPLY_ENDED, turn)

    def take_over(self) -> None:
        """Another conductor was here before. A reply that it held goes on: nobody else would tell
        it to, and words that came meanwhile are for the reasoner to answer."""
        for turn in (OWN_TURN, above_all_turns()):
            self._command(Order(Command.RESUME, turn, "another conductor"), first_block=0)

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

    def say(self, text: str, language: str) -> None:
        """The avatar speaks on its own, cutting off what is being said; without text the sound is
        to come from elsewhere."""
        self._handle(Event(EventKind.SAY, reason="the operator lets the avatar speak"))
        self._sentences = []
        sentences = split_sentences(text, language or "en")
        for index, sentence in enumerate(sentences):
            msg = ReplySegment(
                turn=OWN_TURN, index=index, text=sentence, language=language,
                is_last=index + 1 == len(sentences),
            )  # fmt: skip
            msg.header.stamp = self._node.get_clock().now().to_msg()
            self._reply_out.publish(msg)

    def perform(self, prompt: str, seconds: float) -> bool:
        """Begin an action without a reply; false: somebody is in conversation."""
        return self._machine.perform(TurnPrompts(prompt, seconds=seconds), time.monotonic())

    def stop(self, reason: str) -> None:
        """Break off whatever is said or thought about."""
        self._active, self._silent_since = False, None
        self._handle(Event(EventKind.RESET, reason=reason))

    def at_block_border(self) -> Decision:
        """What the block shows that is issued now."""
        now = time.monotonic()
        since = self._silent_since
        silent = since is not None and now - since > self._words_timeout_s
        if silent and not self._machine.phase.held:  # a held reply waits as long as it may
            self._silent_since = None
            self._handle(Event(EventKind.VISITOR_SILENT, reason="no words"))
        decision = self._machine.at_block_border(now, said=self._ending is not None)
        self._give(decision.orders)
        return decision

    def coming_prompt(self, wait_s: float) -> str | None:
        """The prompt that the next block will probably have, which is issued in `wait_s`."""
        then = time.monotonic() + wait_s
        return self._machine.coming_prompt(then, said=self._ending is not None)

    def _on_activity(self, msg: SpeechActivity) -> None:
        if not self._barge_in and self._machine.phase.has_reply:
            return
        if msg.active:
            begins, self._active, self._silent_since = not self._active, True, None
            if begins:
                self._active_from_ns = nanoseconds(msg.header.stamp)
            kind = EventKind.VISITOR_SPEAKS if begins else EventKind.VISITOR_GOES_ON
            self._handle(Event(kind, reason="the visitor speaks"))
        elif self._active:
            self._active, self._silent_since = False, time.monotonic()

    def _on_utterance(self, msg: Utterance) -> None:
        check_turn(msg.turn)
        # Without barge-in the reasoner alone knows what it answers: its intent begins the turn.
        words = bool(msg.text.strip()) and self._barge_in
        if not self._barge_in and self._machine.phase.has_reply:
            return
        if msg.is_final:
            self._silent_since = None
            # The end of this turn's activity may be behind it on its own topic.
            self._active = self._active and self._active_from_ns > nanoseconds(msg.end)
            if not words:
                if self._active:  # he speaks again: what it may come to is not known
                    return
                self._handle(Event(EventKind.VISITOR_SILENT, msg.turn, "nothing was recognised"))
                return
            self._handle(Event(EventKind.UTTERANCE, msg.turn, "a new turn"))
            if self._active:  # and speaks on beyond it
                self._handle(Event(EventKind.VISITOR_SPEAKS))
        elif words and self._machine.phase.has_reply:
            self._handle(Event(EventKind.BARGE_IN, msg.turn, "words came"))

    def _on_intent(self, msg: Intent) -> None:
        check_turn(msg.turn)
        prompts = TurnPrompts(msg.action_prompt, msg.stable_prompt, msg.action_duration)
        self._give(self._machine.intend(msg.turn, prompts, time.monotonic()))

    def _on_reply(self, msg: ReplySegment) -> None:
        """Words are for the voice; here counts only whether any came. It may be here before its
        utterance."""
        check_turn(msg.turn)
        if msg.cancelled:
            self._handle(Event(EventKind.FAILED, msg.turn, "the reply was broken off"))
            return
        if self._sentences and self._sentences[0].turn != msg.turn:
            self._sentences = []
        if msg.index == len(self._sentences):  # not one that was given again
            self._sentences.append(msg)
        if msg.text.strip():
            self._said = {msg.turn}
        elif msg.is_last and msg.turn not in self._said:
            self.tell(EventKind.NO_REPLY, msg.turn, "there was nothing to say")

    def _on_persona(self, msg: Persona) -> None:
        idle = msg.prompt_idle or self._prompts.idle
        others = (msg.prompt_listening, msg.prompt_thinking, msg.prompt_speaking)
        self._prompts = StatePrompts(idle, *(prompt or idle for prompt in others))
        self.override(self._override)

    def _handle(self, event: Event) -> None:
        self._give(self._machine.handle(event, time.monotonic()))

    def _give(self, orders: tuple[Order, ...]) -> None:
        for order in orders:
            self._ending = None
            self._command(order, first_block=self._obey(order.command))
            if order.command is Command.CANCEL:
                self.on_over(order.turn, False, order.reason)
            self._node.telemetry.count(f"turn_{order.command.name.lower()}")
            self._node.get_logger().info(
                f"turn {order.turn}: {order.command.name.lower()}: {order.reason}"
            )

    def _command(self, order: Order, *, first_block: int) -> None:
        msg = TurnControl(
            turn=order.turn,
            command=int(order.command),
            first_block=first_block,
            reason=order.reason,
        )
        msg.header.stamp = self._node.get_clock().now().to_msg()
        self._control_out.publish(msg)
