"""Keeps the prompts that a stream has used: the present one, and those that a rebuild may need."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from avatar_nodes.block.block import Prompt

KNOWN_PROMPTS = 64


class PromptBook:
    """Encodes each text once and keeps the last `KNOWN_PROMPTS`, and the one that is pinned.

    encode: text to prompt, such as `PromptEncoder.encode`. text: the first prompt.
    """

    def __init__(self, encode: Callable[[str], Prompt], text: str) -> None:
        self._encode = encode
        self._known: OrderedDict[str, Prompt] = OrderedDict()
        self._ids: dict[str, str] = {}
        self.pinned = ""
        """Id of a prompt that is kept for as long as this names it: the sink's."""
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
        while len(self._known) > KNOWN_PROMPTS:
            oldest = next(p for p in self._known.values() if p.id != self.pinned)
            del self._known[oldest.id], self._ids[oldest.text]
        return prompt
