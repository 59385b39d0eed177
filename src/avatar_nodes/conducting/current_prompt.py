"""Keeps the prompt of the blocks from now on, and announces the one to come."""

from __future__ import annotations

import math
from collections.abc import Callable

from avatar_nodes.block.block import Prompt
from avatar_nodes.conducting.effects import AnnouncePrompt, Emit
from avatar_nodes.conducting.prompt_book import PromptBook

_CALM_S = 0.2


class CurrentPrompt:
    """Emits AnnouncePrompt.

    Stages learn of a prompt before any block that carries it, and may be told what to expect:
    rebuilding the caches (Cache-Switching) takes longer than a block, but a reply's prompt is known
    some tenths of a second before its first block is due, and then the stages are idle.

    Args:
        encode: text to prompt.
        text: the prompt of the stream's start, which holds again when an operator's is taken back.
    """

    def __init__(self, encode: Callable[[str], Prompt], text: str, *, emit: Emit) -> None:
        self._default = text
        self._emit = emit
        self._announced: tuple[str, int] | None = None
        self._asked: tuple[str, bool] | None = None
        """What an operator has set and no block has yet, and whether it switches the caches."""
        self._unsettled: tuple[str, bool] | None = None
        """Of `_asked`, what no stage was told of yet."""
        self._settled_at = -math.inf
        self.book = PromptBook(encode, text)
        self.switch = False
        """A change of the prompt switches the caches."""

    @property
    def current(self) -> Prompt:
        """The prompt of the blocks from now on."""
        return self.book.current

    def announce(self) -> None:
        """Tell the current prompt."""
        self._emit(AnnouncePrompt(self.current))

    def ask(self, text: str, *, switch: bool) -> None:
        """An operator sets the prompt; empty: that of the stream's start again. `settle` does the
        rest."""
        self._asked = (text, switch)
        self._unsettled = (text or self._default, switch)

    def settle(self, now: float | None = None) -> None:
        """Encode and announce what an operator has set: early, so that the stages can prepare, but
        few times a second; without `now`, since a block is made of it, in any case."""
        if self._unsettled is None or (now is not None and now - self._settled_at < _CALM_S):
            return
        (text, switch), self._settled_at = self._unsettled, self._settled_at if now is None else now
        self.use(text, switch=switch)

    def use(self, text: str, *, switch: bool) -> None:
        """Set the prompt of the blocks from now on. One that an operator has set switches the
        caches as the operator asked, another as `switch` says."""
        self._unsettled = None
        if self._asked is not None and self._asked[0] in (text, ""):
            switch = self._asked[1]
        self.switch = switch
        if self.book.use(text):
            self.announce()

    def issued(self, *, changed: bool) -> None:
        """A block has the current prompt; `changed`: the block before had another."""
        if self._asked is None:
            return
        text = self._asked[0]
        if text == self.current.text or (changed and not text):
            self._asked = None

    def expect(self, text: str | None, block: int) -> None:
        """`block`, the next one, will probably switch to `text` (None: nothing is known); told
        once."""
        if text is None or text == self.current.text or self._announced == (text, block):
            return
        self._announced = (text, block)
        self._emit(AnnouncePrompt(self.book.encoded(text), expected_block=block))
