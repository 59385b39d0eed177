"""Tells what the avatar shows and how far it has come."""

from __future__ import annotations

from avatar_nodes.conducting.conversation_table import State
from avatar_nodes.conducting.effects import Emit, ReportState


class StateReport:
    """Emits ReportState.

    render: a file is rendered, so that states of a conversation mean nothing.
    """

    def __init__(self, *, render: bool, emit: Emit) -> None:
        self._render = render
        self._emit = emit
        self._state, self._turn = State.IDLE, 0
        self._overdue = ""
        self.replying = False
        """What was told last: a reply is under way, as far as the visitor hears."""

    def show(self, state: State, turn: int = 0) -> None:
        """The block that is issued next shows this."""
        self._state, self._turn = state, turn

    def note_overdue(self, phase: str) -> None:
        """This phase, in words, was ended because it lasted too long; empty: none was."""
        self._overdue = phase or self._overdue

    def tell(
        self, *, epoch: int, block: int, total_blocks: int, finished: bool, prompt: str,
        replying: bool,
    ) -> None:  # fmt: skip
        """Emit; `block`: the newest one issued."""
        state = self._state
        if self._render:
            state = State.FINISHED if finished else State.RENDERING
        self.replying = replying
        self._emit(
            ReportState(
                state=state, epoch=epoch, block=block, total_blocks=total_blocks, turn=self._turn,
                replying=replying, prompt=prompt, reason=self._overdue,
            )
        )  # fmt: skip

    def told_of_block(self) -> None:
        """A block's state was told: what was overdue before it is said."""
        self._overdue = ""
