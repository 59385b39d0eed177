"""A stage's sinks: the identity frame and its replacement (Live Avatar, section 4.4)."""

from __future__ import annotations

import torch

from avatar_nodes.block.block import Sink
from avatar_nodes.denoising.prompts import PromptStore
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.kv import SinkKV

_LIMIT = 4


class SinkStore:
    """The newest sinks by version, their keys and values computed when first asked for.

    Several are held at once because blocks still on their way may carry an older version.
    """

    def __init__(self, model: WanS2V, prompts: PromptStore, device: torch.device) -> None:
        self._model = model
        self._prompts = prompts
        self._device = device
        self._sinks: dict[int, Sink] = {}
        self._kv: dict[int, SinkKV] = {}

    def __contains__(self, version: int) -> bool:
        return version in self._sinks

    def add(self, sink: Sink) -> None:
        """Learns a sink; a version that comes again replaces the old one."""
        old = self._sinks.get(sink.version)
        same = old is not None and old.prompt_id == sink.prompt_id
        if not (same and torch.equal(old.latent, sink.latent)):  # type: ignore[union-attr]
            self._kv.pop(sink.version, None)
        self._sinks[sink.version] = sink
        for version in sorted(self._sinks)[:-_LIMIT]:
            del self._sinks[version]
            self._kv.pop(version, None)

    def keep_reference_only(self) -> None:
        """Forgets the versions that a stream made itself."""
        for version in [v for v in self._sinks if v != 0]:
            del self._sinks[version]
            self._kv.pop(version, None)

    def kv(self, version: int, prompt_id: str) -> SinkKV:
        """Keys and values of a known version, seen under its own prompt, or `prompt_id` if it has
        none.

        Raises KeyError naming what is not known.
        """
        sink = self._sinks[version]
        if version not in self._kv:
            text = self._prompts.kv(sink.prompt_id or prompt_id)
            latent = sink.latent[None].to(self._device)
            self._kv[version] = self._model.prefill_sink(latent, text)
        self._prompts.used(sink.prompt_id)
        return self._kv[version]
