"""What the avatar shows, as the conductor tells it on `state`."""

from __future__ import annotations

from avatar_msgs.msg import AvatarState
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.wire import topics


class StateReport:
    """Publishes AvatarState.

    render: a file is rendered, so that states of a conversation mean nothing.
    """

    def __init__(self, node: AvatarNode, *, render: bool) -> None:
        self._node = node
        self._render = render
        self._out = node.publisher(topics.STATE)
        self._state, self._turn = int(AvatarState.IDLE), 0
        self._overdue = ""
        self.replying = False
        """What was told last: a reply is under way, as far as the visitor hears."""

    def show(self, state: int, turn: int = 0) -> None:
        """The block that is issued next shows this."""
        self._state, self._turn = state, turn

    def note_overdue(self, phase: str) -> None:
        """This phase, in words, was ended because it lasted too long; empty: none was."""
        self._overdue = phase or self._overdue

    def tell(
        self, *, epoch: int, block: int, total_blocks: int, finished: bool, prompt: str,
        replying: bool = False,
    ) -> None:  # fmt: skip
        """Publish; `block`: the newest one issued."""
        state = self._state
        if self._render:
            state = AvatarState.FINISHED if finished else AvatarState.RENDERING
        self.replying = replying
        msg = AvatarState(
            state=state,
            epoch=epoch,
            block=block,
            total_blocks=total_blocks,
            turn=self._turn,
            replying=replying,
            prompt=prompt,
            reason=self._overdue,
        )
        msg.header.stamp = self._node.get_clock().now().to_msg()
        self._out.publish(msg)

    def told_of_block(self) -> None:
        """A block's state was told: what was overdue before it is said."""
        self._overdue = ""
