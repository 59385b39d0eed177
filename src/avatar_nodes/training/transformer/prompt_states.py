"""Caches text states of prompts for an encoder that does not learn: each is encoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

_REMEMBERED = 4096


class PromptStates:
    """Remembers the states [len, text_dim] that `encode` makes of a prompt."""

    def __init__(self, encode: Callable[[str], Tensor]) -> None:
        self._encode = encode
        self._known: dict[str, Tensor] = {}

    def table(self, prompts: Sequence[str]) -> Tensor:
        """States [P, longest, text_dim], zero past each prompt's end."""
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        for prompt in prompts:
            if prompt not in self._known:
                self._known[prompt] = self._encode(prompt)
        return pad_sequence([self._known[prompt] for prompt in prompts], batch_first=True)
