"""Opens a published Wan folder for training: its transformer, its text encoder, its spelling."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import torch

from avatar_nodes.model.checkpoint import CheckpointError
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.read_config import read_config
from avatar_nodes.model.wan_folder import AUDIO_MODEL, VIDEO_VAE, is_published_wan
from avatar_nodes.training.transformer.begun import begun_from
from avatar_nodes.training.transformer.lora import (
    LORA,
    LowRank,
    add_adapters,
    lora_file,
    put_adapters,
)
from avatar_nodes.training.transformer.prompt_states import PromptStates


@dataclass(frozen=True)
class Published:
    """Wan's folder, and the pictures that it is trained for.

    size: their width and height, which the folder does not tell."""

    folder: Path
    size: tuple[int, int]

    @cached_property
    def config(self) -> DiTConfig:
        """Configuration of the transformer, without frame packer, which Live Avatar leaves out.

        Raises CheckpointError: no such folder, or it is of another kind."""
        config = read_config(self.folder, size=self.size)
        if not is_published_wan(self.folder):
            raise CheckpointError(f"{self.folder}: is no folder as Wan2.2-S2V is published")
        return replace(config, enable_framepack=False)

    @property
    def prompts(self) -> PromptStates:
        """Prompt states by its text encoder; one encoder serves all models of a process. Raises
        CheckpointError."""
        return _prompts(self.folder, self.config.text_len)

    def check_encoders(self) -> None:
        """Raises CheckpointError if autoencoder or audio model are not there, or are others."""
        from avatar_nodes.model.wan_vae import check_wan_vae  # diffusers: seconds
        from avatar_nodes.model.wav2vec import check_wav2vec

        check_wan_vae(self.folder / VIDEO_VAE)
        check_wav2vec(self.folder / AUDIO_MODEL)

    def transformer(self, export: Path, adapters: LowRank | None) -> tuple[WanS2V, bool]:
        """The transformer of the folder itself, or of an export of a stage that began from it; and
        whether all that is trained of it are adapters over the published weights.

        adapters: train only these; an export that is such adapters itself trains on with them.
        Raises CheckpointError.
        """
        lora = export / LORA
        if not lora.is_file():
            dit = begun_from(export, self.config)
            if adapters is not None:
                add_adapters(dit, adapters)
            return dit, adapters is not None and export.resolve() == self.folder.resolve()
        if adapters is None:
            return begun_from(self.folder, self.config, lora=lora_file(lora)), False
        dit = begun_from(self.folder, self.config)
        add_adapters(dit, adapters)
        put_adapters(dit, lora, adapters)
        return dit, True

    def write_config(self, folder: Path) -> None:
        """The published `config.json`, for weights without frame packer: it still says nothing of
        the pictures' size, so the folder counts as a published one."""
        values = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        values["enable_framepack"] = False
        (folder / "config.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


@lru_cache(maxsize=1)
def _prompts(folder: Path, text_len: int) -> PromptStates:
    from avatar_nodes.model.wan_text import WanTextEncoder

    gpu = torch.cuda.is_available()
    encoder = WanTextEncoder.load(
        folder, text_len=text_len, dtype=torch.bfloat16 if gpu else torch.float32,
        device="cuda" if gpu else "cpu",
    )  # fmt: skip
    return PromptStates(encoder.encode)
