"""The data types of the conductor: the moment of a call, and what it wants done.

Every effect is carried out by whoever drives the conductor, in the order in which it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from avatar_nodes.block.block import EpochStart, Prompt
from avatar_nodes.conducting.block_ledger import IssuedBlock
from avatar_nodes.conducting.conversation_table import Command, State


class Moment(NamedTuple):
    """When a call is made."""

    now: float
    """Seconds of a monotonic clock."""
    wall_ns: int
    """Nanoseconds since 1970, of a clock that may be set."""

    @property
    def unix_ms(self) -> int:
        """Milliseconds since 1970."""
        return self.wall_ns // 1_000_000


@dataclass(frozen=True)
class BeginEpoch:
    """The stages begin this epoch. `instances`: those of the stages that take part."""

    start: EpochStart
    instances: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class IssueBlock:
    """The block goes to the stages. `due_ns`: when its first frame is to be shown, nanoseconds
    since 1970; 0: as fast as it can be. `in_flight`: blocks under way, this one among them."""

    issued: IssuedBlock
    epoch: int
    seed: int
    sink_version: int
    memory_version: int
    due_ns: int
    in_flight: int


@dataclass(frozen=True)
class AnnouncePrompt:
    """The stages learn of a prompt. `expected_block`: the block that will probably switch to it;
    None: it is the prompt of the blocks from now on."""

    prompt: Prompt
    expected_block: int | None = None


@dataclass(frozen=True)
class DemandSound:
    """The source sends what it has of `stream` from `next_sample` up to before `limit_sample`."""

    stream: str
    next_sample: int
    limit_sample: int


@dataclass(frozen=True)
class ReportState:
    """What the avatar shows and how far it has come; see avatar_msgs/AvatarState."""

    state: State
    epoch: int
    block: int
    total_blocks: int
    turn: int
    replying: bool
    prompt: str
    reason: str


@dataclass(frozen=True)
class ReportCondition:
    """Whether the conductor conducts, in which epoch (0: none), and what it does or waits for."""

    ready: bool
    epoch: int
    detail: str


@dataclass(frozen=True)
class ReportPipelineTime:
    """Time from issue to presenter to reckon with [s]."""

    seconds: float


@dataclass(frozen=True)
class EndStream:
    """The stream has been presented up to its last block."""

    block: int


@dataclass(frozen=True)
class TurnOrder:
    """Those who make the reply of `turn` hold it, go on with it or drop it. The sound of the blocks
    before `first_block` is to be heard no more; 0: it stays."""

    command: Command
    turn: int
    first_block: int
    reason: str


@dataclass(frozen=True)
class SpeakSentence:
    """A sentence of a reply. `turn`: OWN_TURN where the avatar speaks on its own; `index`: number
    within the reply, from 0; `language`: BCP 47, empty: the voice's own."""

    turn: int
    index: int
    text: str
    language: str
    is_last: bool


@dataclass(frozen=True)
class AskAgain:
    """Nothing has come of the utterance of `turn`: who makes replies may not have heard it."""

    turn: int


@dataclass(frozen=True)
class SayFeedback:
    """How far the speech of a request is. `spoken_text`: empty until all its sound is issued;
    `elapsed_s`: speech shown."""

    request: int
    spoken_text: str
    elapsed_s: float
    total_s: float


@dataclass(frozen=True)
class PerformFeedback:
    """How far the action of a request is: blocks issued under its prompt, time left [s]."""

    request: int
    blocks: int
    remaining_s: float


@dataclass(frozen=True)
class SayOver:
    """A request to speak has ended. `message`: why without success; `duration_s`: speech shown."""

    request: int
    success: bool
    message: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True)
class PerformOver:
    """A request to perform has ended; the first and the last block under its prompt, both 0: none
    was made."""

    request: int
    success: bool
    message: str = ""
    first_block: int = 0
    last_block: int = 0


Effect = (
    BeginEpoch
    | IssueBlock
    | AnnouncePrompt
    | DemandSound
    | ReportState
    | ReportCondition
    | ReportPipelineTime
    | EndStream
    | TurnOrder
    | SpeakSentence
    | AskAgain
    | SayFeedback
    | PerformFeedback
    | SayOver
    | PerformOver
)
Emit = Callable[[Effect], None]
