"""Decides which state the avatar shows (State-Cycling), under which prompt, and whose reply may be
heard."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from avatar_nodes.conducting.conversation_table import TABLE, Command, EventKind, Phase, State

OWN_TURN = 0
"""The turn of what the avatar says on its own (`SAY`)."""

_OF_A_REPLY = (
    EventKind.REPLY_SOUND,
    EventKind.REPLY_ENDED,
    EventKind.NO_REPLY,
    EventKind.FAILED,
)
# What keeps a phase alive beyond its limit. A held reply has none: it does not wait for a noise.
_NEWS = (
    (Phase.PERFORMING, EventKind.PERFORM),
    (Phase.LISTENING, EventKind.VISITOR_SPEAKS),
    (Phase.LISTENING, EventKind.VISITOR_GOES_ON),
    (Phase.THINKING, EventKind.UTTERANCE),
    (Phase.THINKING, EventKind.SAY),
    (Phase.SPEAKING, EventKind.REPLY_SOUND),
)


@dataclass(frozen=True)
class Event:
    """Something that happened.

    `turn` is that of the utterance or of the reply; with `BARGE_IN` that of the words which came.
    """

    kind: EventKind
    turn: int = OWN_TURN
    reason: str = ""


@dataclass(frozen=True)
class Order:
    """To be told at once to those who make the reply of `turn`."""

    command: Command
    turn: int
    reason: str


@dataclass(frozen=True)
class StatePrompts:
    """The prompt of each state."""

    idle: str
    listening: str
    thinking: str
    speaking: str

    def of(self, state: State) -> str:
        """The prompt of one state."""
        return (self.idle, self.listening, self.thinking, self.speaking)[state]


@dataclass(frozen=True)
class PhaseLimits:
    """How long a phase may last without news before `TIMED_OUT` ends it [s], each above 0."""

    performing_s: float = 20.0
    listening_s: float = 20.0
    thinking_s: float = 30.0
    speaking_s: float = 20.0
    held_s: float = 2.0
    """A reply held this long without words goes on: the interruption was false."""

    def of(self, phase: Phase) -> float | None:
        """The limit of one phase; idleness has none."""
        return {
            Phase.IDLE: None,
            Phase.PERFORMING: self.performing_s,
            Phase.LISTENING: self.listening_s,
            Phase.THINKING: self.thinking_s,
            Phase.SPEAKING: self.speaking_s,
            Phase.HELD_THINKING: self.held_s,
            Phase.HELD_SPEAKING: self.held_s,
        }[phase]


@dataclass(frozen=True)
class TurnPrompts:
    """What a reply, or an action without one, looks like.

    `action` holds for `seconds` from the first sound on, or (0) as long as the reply is heard;
    `stable` in the silence after it. An empty text means the state's own prompt.
    """

    action: str = ""
    stable: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Decision:
    """What holds for the block that begins.

    `turn` is the one whose reply is made, heard or held; `plays`: it may be heard in this block.
    `changed`: the prompt is another than the last block's. `orders` are to be told, as those that
    `handle` returns. `overdue`: the phase that has just been ended because it lasted too long, in
    words; empty: none was.
    """

    state: State
    prompt: str
    turn: int | None
    plays: bool
    held: bool
    changed: bool
    orders: tuple[Order, ...]
    overdue: str = ""


@dataclass
class _Gesture:
    prompts: TurnPrompts = field(default_factory=TurnPrompts)
    began: float | None = None

    @property
    def over(self) -> _Gesture:
        """What is left of it in silence."""
        return _Gesture(TurnPrompts(stable=self.prompts.stable))


class StateCycling:
    """The conversation of one avatar; without threads and clocks: `now` is any monotonic seconds.

    `handle` takes events in the order in which they become known and returns what has to be told at
    once; what is seen and heard changes at block borders only, by `at_block_border`.

    A turn is over for good once it was answered, cancelled or overtaken: what comes late of it is
    dropped. An event or intent of a turn newer than any known begins that turn, since a reply may
    come to be known before its utterance. When the visitor speaks on beyond an utterance, tell
    `VISITOR_SPEAKS` again after it.
    """

    def __init__(self, prompts: StatePrompts, limits: PhaseLimits | None = None) -> None:
        self.prompts = prompts
        self.limits = limits or PhaseLimits()
        self._phase = Phase.IDLE
        self._turn: int | None = None
        self._newest = OWN_TURN
        self._news_at = 0.0
        self._gesture = _Gesture()
        self._intended: int | None = None
        self._shown = prompts.idle

    @property
    def phase(self) -> Phase:
        """Where the conversation is by now, ahead of what is shown."""
        return self._phase

    @property
    def turn(self) -> int | None:
        """The turn whose reply is made, heard or held."""
        return self._turn

    def handle(self, event: Event, now: float) -> tuple[Order, ...]:
        """Take an event; returns what to tell at once, in order."""
        kind, turn = event.kind, event.turn
        if kind is EventKind.UTTERANCE and turn <= self._newest:
            return ()
        if kind is EventKind.BARGE_IN and OWN_TURN < turn <= self._newest:
            return ()
        if kind in _OF_A_REPLY and turn != self._turn:
            if turn <= self._newest:
                return ()
            begun = self._step(replace(event, kind=EventKind.UTTERANCE), now)
            return begun + self._step(event, now)
        return self._step(event, now)

    def intend(self, turn: int, prompts: TurnPrompts, now: float) -> tuple[Order, ...]:
        """What the reply of `turn` is to look like, again where it has changed its mind; returns
        orders as `handle` does."""
        orders: tuple[Order, ...] = ()
        if turn > self._newest:
            orders = self.handle(Event(EventKind.UTTERANCE, turn), now)
        if turn == self._turn:
            same = prompts.action == self._gesture.prompts.action
            self._gesture = _Gesture(prompts, self._gesture.began if same else None)
            self._intended = turn
            self._begin_gesture(now)
        return orders

    def perform(self, prompts: TurnPrompts, now: float) -> bool:
        """Begin an action without a reply; False: a conversation is under way. `PERFORMED` ends it,
        and so does whatever a visitor begins."""
        self.handle(Event(EventKind.PERFORM), now)
        if self._phase is not Phase.PERFORMING:
            return False
        self._gesture = _Gesture(prompts, now)
        return True

    def at_block_border(self, now: float, *, said: bool = False) -> Decision:
        """What the block shows that begins now; `said`: all sound of the reply is in blocks before
        it, which may still be heard. Then it looks as after the reply, which can still be held."""
        overdue = self._overdue(now)
        late = Event(EventKind.TIMED_OUT, reason=overdue)
        orders = self._step(late, now) if overdue else ()
        said = said and self._phase is Phase.SPEAKING
        phase = self._phase_shown(said)
        prompt = self._prompt(phase, now)
        changed, self._shown = prompt != self._shown, prompt
        return Decision(
            state=phase.state,
            prompt=prompt,
            turn=None if said else self._turn,
            plays=phase is Phase.SPEAKING,
            held=self._phase.held,
            changed=changed,
            orders=orders,
            overdue=overdue,
        )

    def coming_prompt(self, now: float, *, said: bool = False) -> str | None:
        """The prompt that a block border at `now` would bring, as far as is known; `said`: see
        `at_block_border`. While a reply is thought about it is that of its first sound, if its
        intent is there, else None: soon it will be another.
        """
        if self._phase is Phase.THINKING:
            if self._intended != self._turn:
                return None
            return self._gesture.prompts.action or self.prompts.of(State.SPEAKING)
        return self._prompt(self._phase_shown(said), now)

    def _phase_shown(self, said: bool) -> Phase:
        return Phase.IDLE if said and self._phase is Phase.SPEAKING else self._phase

    def _overdue(self, now: float) -> str:
        """That the phase has lasted longer than it may, in words; empty: it has not."""
        limit = self.limits.of(self._phase)
        if limit is None or now - self._news_at <= limit:
            return ""
        return f"{self._phase.name.lower().replace('_', ' ')} for more than {limit:g} s"

    def _step(self, event: Event, now: float) -> tuple[Order, ...]:
        """Go where the table leads; turn, gesture and clock follow."""
        before, step = self._phase, TABLE[self._phase, event.kind]
        orders: tuple[Order, ...] = ()
        if step.command is not None:
            assert self._turn is not None  # the table commands only where there is a reply
            orders = (Order(step.command, self._turn, event.reason or event.kind.value),)
        self._phase = step.phase
        if event.kind is EventKind.UTTERANCE:
            self._turn = self._newest = event.turn
        elif event.kind is EventKind.SAY:
            self._turn = OWN_TURN
        elif not step.phase.has_reply:
            self._turn = None
        if step.phase is not before or (step.phase, event.kind) in _NEWS:
            self._news_at = now
        dropped = step.command is Command.CANCEL or event.kind is EventKind.RESET
        self._follow_gesture(before, dropped, now)
        return orders

    def _follow_gesture(self, before: Phase, dropped: bool, now: float) -> None:
        """It begins with the sound, outlasts a short reply, and ends with whatever begins then."""
        after = self._phase
        if dropped:
            self._gesture = _Gesture()
        elif (
            after is Phase.LISTENING
            or (after is Phase.THINKING and not before.has_reply)
            or (before is Phase.PERFORMING and after is not before)
        ):
            self._gesture = self._gesture.over
        self._begin_gesture(now)

    def _begin_gesture(self, now: float) -> None:
        if self._phase is Phase.SPEAKING and self._gesture.began is None:
            self._gesture.began = now

    def _prompt(self, phase: Phase, now: float) -> str:
        gesture = self._gesture
        wanted = gesture.prompts
        if gesture.began is not None and phase.state in (State.IDLE, State.SPEAKING):
            endless = wanted.seconds == 0.0 and phase is not Phase.IDLE
            if wanted.action and (endless or now - gesture.began < wanted.seconds):
                return wanted.action
        if phase.state is State.IDLE and wanted.stable:
            return wanted.stable
        return self.prompts.of(phase.state)
