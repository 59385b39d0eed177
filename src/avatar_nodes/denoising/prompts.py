"""A stage's prompts: their states, and the keys and values made of them once."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

import torch

from avatar_nodes.block.block import Prompt
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.kv import TextKV

KNOWN_LIMIT = 64
_KV_LIMIT = 4
_Value = TypeVar("_Value")


class PromptStore:
    """Keeps the states of the last `KNOWN_LIMIT` prompts used and the keys and values of the last
    few.
    """

    def __init__(self, model: WanS2V, device: torch.device) -> None:
        self._model = model
        self._device = device
        self._known: OrderedDict[str, Prompt] = OrderedDict()
        self._kv: OrderedDict[str, TextKV] = OrderedDict()

    def __contains__(self, prompt_id: str) -> bool:
        return prompt_id in self._known

    def add(self, prompt: Prompt) -> bool:
        """Learns a prompt; the same id with other states replaces the old ones, which is what True
        says."""
        old = self._known.get(prompt.id)
        replaced = old is not None and not torch.equal(old.states, prompt.states)
        if replaced:
            self._kv.pop(prompt.id, None)
        _put(self._known, prompt.id, prompt, KNOWN_LIMIT)
        for gone in self._kv.keys() - self._known.keys():
            del self._kv[gone]
        return replaced

    def used(self, prompt_id: str) -> None:
        """A prompt whose keys and values live on in others counts as used, too."""
        if prompt_id in self._known:
            self._known.move_to_end(prompt_id)

    def kv(self, prompt_id: str) -> TextKV:
        """Keys and values of a known prompt. Raises KeyError."""
        prompt = self._known[prompt_id]
        kv = self._kv.get(prompt_id)
        if kv is None:
            kv = self._model.encode_text(prompt.states[None].to(self._device))
        self._known.move_to_end(prompt_id)
        _put(self._kv, prompt_id, kv, _KV_LIMIT)
        return kv


def _put(store: OrderedDict[str, _Value], key: str, value: _Value, limit: int) -> None:
    store[key] = value
    store.move_to_end(key)
    while len(store) > limit:
        store.popitem(last=False)
