"""The conductor's prompts: the one of the blocks from now on, and the one to come."""

from __future__ import annotations

from collections.abc import Callable

from avatar_msgs.srv import SetPrompt
from avatar_nodes.block import block as stream
from avatar_nodes.conducting.prompt_book import PromptBook
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.wire import topics
from avatar_nodes.wire.block import prompt_to_msg


class StreamPrompts:
    """Publishes `blocks/prompt` and serves `set_prompt`.

    Stages learn of a prompt before any block that carries it, and may be told what to expect:
    rebuilding the caches (Cache-Switching) takes longer than a block, but a reply's prompt is known
    some tenths of a second before its first block is due, and then the stages are idle.

    next_block: the block that will be issued next. on_set: called with what an operator has set.
    """

    def __init__(
        self, node: AvatarNode[ConductorSettings], encode: Callable[[str], stream.Prompt], *,
        next_block: Callable[[], int], on_set: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._node = node
        self._default: str = node.settings.prompt
        self._next_block = next_block
        self._on_set = on_set
        self._announced: tuple[str, int] | None = None
        self.book = PromptBook(encode, self._default)
        self.switch = False
        """A change of the prompt switches the caches."""
        self._asked: tuple[str, bool] | None = None
        """What an operator has set and no block has yet, and whether it switches the caches."""
        self._out = node.publisher(topics.PROMPT)

    @property
    def current(self) -> stream.Prompt:
        """The prompt of the blocks from now on."""
        return self.book.current

    def start(self) -> None:
        """Tell the first prompt, and listen to operators."""
        self._out.publish(prompt_to_msg(self.current))
        self._service = self._node.serve(topics.SET_PROMPT, self._on_set_prompt)

    def stop(self) -> None:
        """No longer listen."""
        self._node.destroy_service(self._service)

    def use(self, text: str, *, switch: bool) -> None:
        """The prompt of the blocks from now on. One that an operator has set switches the caches as
        he wished, another as `switch` says."""
        if self._asked is not None and self._asked[0] in (text, ""):
            switch = self._asked[1]
        self.switch = switch
        if self.book.use(text):
            self._out.publish(prompt_to_msg(self.current))

    def issued(self, *, changed: bool) -> None:
        """A block has the current prompt; `changed`: the block before had another."""
        if self._asked is None:
            return
        text = self._asked[0]
        if text == self.current.text or (changed and not text):
            self._asked = None

    def expect(self, text: str | None) -> None:
        """The next block will probably switch to `text` (None: nothing is known); told once."""
        expected = (text, self._next_block())
        if text is None or text == self.current.text or self._announced == expected:
            return
        self._announced = (text, expected[1])
        prompt = self.book.encoded(text)
        self._out.publish(prompt_to_msg(prompt, expected_block=expected[1]))

    def _on_set_prompt(
        self, request: SetPrompt.Request, response: SetPrompt.Response
    ) -> SetPrompt.Response:
        self._on_set(request.prompt)
        self._asked = (request.prompt, request.cache_switch)
        self.use(request.prompt or self._default, switch=request.cache_switch)
        response.success, response.prompt_id = True, self.current.id
        response.first_block = self._next_block()
        return response
