"""The table of a conversation: its phases, the events, and what every event does in each."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import NamedTuple


class State(IntEnum):
    """What a visitor sees of the avatar, or that there is none and a file is rendered; the numbers
    are those of avatar_msgs/AvatarState."""

    IDLE = 0
    LISTENING = 1
    THINKING = 2
    SPEAKING = 3
    RENDERING = 4
    FINISHED = 5


class Phase(Enum):
    """Where the conversation is. More than a state: a reply may be held while the visitor speaks.

    The value is the state that is shown.
    """

    IDLE = (State.IDLE, "")
    PERFORMING = (State.IDLE, "an action without a reply")
    LISTENING = (State.LISTENING, "")
    THINKING = (State.THINKING, "")
    SPEAKING = (State.SPEAKING, "")
    HELD_THINKING = (State.LISTENING, "a reply not yet heard is held")
    HELD_SPEAKING = (State.LISTENING, "a reply already heard is held")

    @property
    def state(self) -> State:
        """What is shown."""
        return self.value[0]

    @property
    def has_reply(self) -> bool:
        """A reply is made, heard or held."""
        return self in _WITH_REPLY

    @property
    def held(self) -> bool:
        """There is a reply, and it waits for what the visitor means."""
        return self in _HELD


_HELD = (Phase.HELD_THINKING, Phase.HELD_SPEAKING)
_WITH_REPLY = (Phase.THINKING, Phase.SPEAKING, *_HELD)


class EventKind(Enum):
    """What can happen; the value says when to tell."""

    VISITOR_SPEAKS = "voice activity has begun"
    VISITOR_GOES_ON = "voice activity still lasts"
    VISITOR_SILENT = "voice activity has ended, and no words came of it"
    UTTERANCE = "the visitor's turn has ended, with words"
    REPLY_SOUND = "sound of the reply has come (the first, or more of it)"
    REPLY_ENDED = "the reply was heard to its end"
    NO_REPLY = "the reply is empty"
    FAILED = "the reply could not be made"
    BARGE_IN = "words came while the reply was held or heard: the interruption is meant"
    FALSE_INTERRUPTION = "it was a cough, or noise: no words"
    SAY = "the operator lets the avatar say something"
    PERFORM = "the operator lets the avatar do something"
    PERFORMED = "that action is over"
    TIMED_OUT = "the phase has lasted longer than it may"
    RESET = "begin anew"


class Command(IntEnum):
    """What those who make the reply are told at once; numbers of avatar_msgs/TurnControl."""

    PAUSE = 0
    RESUME = 1
    CANCEL = 2


class Step(NamedTuple):
    """What an event does: the phase that follows, and what to tell about the turn that was."""

    phase: Phase
    command: Command | None = None


_I, _P, _L = Step(Phase.IDLE), Step(Phase.PERFORMING), Step(Phase.LISTENING)
_T, _S = Step(Phase.THINKING), Step(Phase.SPEAKING)
_HT, _HS = Step(Phase.HELD_THINKING), Step(Phase.HELD_SPEAKING)
# With a command for the turn that was: its reply is dropped (x), held (h) or goes on (r).
_I_x, _L_x, _T_x = (Step(p, Command.CANCEL) for p in (Phase.IDLE, Phase.LISTENING, Phase.THINKING))
_HT_h, _HS_h = (Step(p, Command.PAUSE) for p in (Phase.HELD_THINKING, Phase.HELD_SPEAKING))
_T_r, _S_r = (Step(p, Command.RESUME) for p in (Phase.THINKING, Phase.SPEAKING))

# A row an event, a column a phase, in their order; a cell that leads to its own phase changes
# nothing. UTTERANCE and SAY are of a new turn; REPLY_SOUND to FAILED are of the turn at hand, the
# machine drops those of any other.
# fmt: off
_ROWS: dict[EventKind, tuple[Step, ...]] = {
    #                              idle  perf  listen think  speak  held_t held_s
    EventKind.VISITOR_SPEAKS:     (_L,   _L,   _L,   _HT_h, _HS_h, _HT,   _HS),
    EventKind.VISITOR_GOES_ON:    (_I,   _P,   _L,   _T,    _S,    _HT,   _HS),
    EventKind.VISITOR_SILENT:     (_I,   _P,   _I,   _T,    _S,    _T_r,  _S_r),
    EventKind.UTTERANCE:          (_T,   _T,   _T,   _T_x,  _T_x,  _T_x,  _T_x),
    EventKind.REPLY_SOUND:        (_I,   _P,   _L,   _S,    _S,    _HS,   _HS),
    EventKind.REPLY_ENDED:        (_I,   _P,   _L,   _I,    _I,    _L,    _L),
    EventKind.NO_REPLY:           (_I,   _P,   _L,   _I,    _I,    _L,    _L),
    EventKind.FAILED:             (_I,   _P,   _L,   _I_x,  _I_x,  _L_x,  _L_x),
    EventKind.BARGE_IN:           (_I,   _P,   _L,   _L_x,  _L_x,  _L_x,  _L_x),
    EventKind.FALSE_INTERRUPTION: (_I,   _P,   _I,   _T,    _S,    _T_r,  _S_r),
    EventKind.SAY:                (_T,   _T,   _T,   _T_x,  _T_x,  _T_x,  _T_x),
    EventKind.PERFORM:            (_P,   _P,   _L,   _T,    _S,    _HT,   _HS),
    EventKind.PERFORMED:          (_I,   _I,   _L,   _T,    _S,    _HT,   _HS),
    EventKind.TIMED_OUT:          (_I,   _I,   _I,   _I_x,  _I_x,  _T_r,  _S_r),
    EventKind.RESET:              (_I,   _I,   _I,   _I_x,  _I_x,  _I_x,  _I_x),
}
# fmt: on

TABLE: Mapping[tuple[Phase, EventKind], Step] = {
    (phase, kind): step
    for kind in EventKind
    for phase, step in zip(Phase, _ROWS[kind], strict=True)
}
"""The step for every event in every phase. It is total, so that nothing is left to chance: a row
or cell that is missing keeps this module from being imported."""
