"""Text states of prompts by an encoder that does not learn: each prompt is encoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

_REMEMBERED = 4096


class PromptStates:
    """Remembers what `encode` makes of a prompt, [len, text_dim]."""

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
