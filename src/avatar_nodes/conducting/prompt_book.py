"""Keeps the prompts that a stream has used: the present one, and those that a rebuild may need."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping

from avatar_nodes.block.block import Prompt

KNOWN_PROMPTS = 64


def prompt_id(text: str) -> str:
    """The id that the prompt of a text has."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]


class PromptBook:
    """Encodes each text once and keeps the last `KNOWN_PROMPTS`, and those that are needed.

    encode: text to prompt, such as `PromptEncoder.encode`. text: the first prompt.
    """

    def __init__(self, encode: Callable[[str], Prompt], text: str) -> None:
        self._encode = encode
        self._known: OrderedDict[str, Prompt] = OrderedDict()
        self._ids: dict[str, str] = {}
        self.pinned = ""
        """Id of a prompt that is kept for as long as this names it: the sink's."""
        self.needed: Callable[[], Container[str]] = tuple
        """Tells the ids of others that are kept: those of blocks that may be issued again."""
        self.current = self._kept(text)
        """The prompt of the next block."""

    @property
    def known(self) -> Mapping[str, Prompt]:
        """Prompts by id."""
        return self._known

    def use(self, text: str) -> bool:
        """From now on `text`; true: it is another than the present one."""
        if text == self.current.text:
            return False
        self.current = self._kept(text)
        return True

    def encoded(self, text: str) -> Prompt:
        """The prompt of a text that is not in use yet."""
        prompt = self._kept(text)
        self._known.move_to_end(self.current.id)
        return prompt

    def _kept(self, text: str) -> Prompt:
        known = self._ids.get(text)
        prompt = self._encode(text) if known is None else self._known[known]
        self._ids[text] = prompt.id
        self._known[prompt.id] = prompt
        self._known.move_to_end(prompt.id)
        if len(self._known) > KNOWN_PROMPTS:
            needed = self.needed()
            free = [p for p in self._known.values() if p.id != self.pinned and p.id not in needed]
            for oldest in free[: len(self._known) - KNOWN_PROMPTS]:
                if oldest is not prompt:
                    del self._known[oldest.id], self._ids[oldest.text]
        return prompt
