"""Tells the stages of a change of the prompt before the block that brings it."""

from __future__ import annotations

from avatar_msgs.msg import Prompt
from avatar_nodes.nodes.lifecycle_node import AvatarNode
from avatar_nodes.streaming.prompt_book import PromptBook
from avatar_nodes.wire.block import prompt_to_msg
from avatar_nodes.wire.qos import BLOCKS


class SwitchAnnouncement:
    """Publishes `blocks/prompt`: prompts for the blocks from now on, and those that are expected.

    Rebuilding the caches (Cache-Switching) takes longer than a block. A reply's prompt is known
    some tenths of a second before its first block is due, and then the stages are idle.
    """

    def __init__(self, node: AvatarNode, prompts: PromptBook) -> None:
        self._prompts = prompts
        self._out = node.publisher(Prompt, "blocks/prompt", BLOCKS)
        self._announced: tuple[str, int] | None = None

    def tell(self) -> None:
        """The present prompt, before any block that carries it."""
        self._out.publish(prompt_to_msg(self._prompts.current))

    def expect(self, text: str | None, block: int) -> None:
        """`block` will probably switch to `text` (None: nothing is known); told once."""
        if text in (None, self._prompts.current.text) or self._announced == (text, block):
            return
        assert text is not None
        self._announced = (text, block)
        self._out.publish(prompt_to_msg(self._prompts.encoded(text), expected_block=block))
