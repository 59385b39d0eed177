"""Builds and exports the diffusion transformer with its text encoder for the training stages."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from avatar_nodes.model.checkpoint import WEIGHTS, load_checkpoint
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.text import TextEncoder
from avatar_nodes.training.data.window_batch import WindowBatch
from avatar_nodes.training.loop.distributed import Workers, whole
from avatar_nodes.training.loop.parameter_average import ParameterAverage
from avatar_nodes.training.transformer.begun import begun_from
from avatar_nodes.training.transformer.lora import (
    LORA,
    LowRank,
    add_adapters,
    merged_weights,
    save_adapters,
)
from avatar_nodes.training.transformer.prompt_states import PromptStates
from avatar_nodes.training.transformer.published import Published

if TYPE_CHECKING:
    from typing_extensions import Self


class TalkingModel(nn.Module):
    """Causal velocity of a batch of windows; the text encoder is trained with it, or frozen."""

    def __init__(
        self, dit: WanS2V, text: TextEncoder | PromptStates, *, frozen_text: bool = False,
        published: Published | None = None, over_published: LowRank | None = None,
    ) -> None:  # fmt: skip
        """text: states of a published encoder, which is no part of the model, are always frozen.
        published: what the model began from. over_published: the adapters that are all of its
        difference from that.
        """
        super().__init__()
        self.dit = dit
        self.text: TextEncoder | None = None
        self.published = published
        self.over_published = over_published
        if isinstance(text, PromptStates):
            self._frozen: PromptStates | None = text
            return
        self.text = text
        self._frozen = PromptStates(text.encode) if frozen_text else None
        if frozen_text:
            text.requires_grad_(False).eval()

    @property
    def frozen_text(self) -> bool:
        """The text encoder does not learn."""
        return self._frozen is not None

    @classmethod
    def build(
        cls, config: DiTConfig, *, text: Path | None = None, start: Path | None = None,
        adapters: LowRank | None = None, published: Published | None = None,
    ) -> Self:  # fmt: skip
        """A new model, or one that begins from the export in `start`.

        text: folder of a pre-trained text encoder, which is then frozen; without it (or if it is
        not there) the encoder is trained along, beginning as the export's, if there is one.
        adapters: train low-rank adapters only. published: the folder that the model begins from
        where there is no `start`, with its own frozen text encoder; `config` is then its.
        Raises CheckpointError if the export's weights do not fit `config`.
        """
        if published is not None:
            return cls.load(start or published.folder, adapters=adapters, published=published)
        frozen = text is not None and (text / "config.json").exists()
        folder = text if frozen else start / "text_encoder" if start is not None else None
        if folder is not None and (folder / "config.json").exists():
            encoder = TextEncoder.load(folder, text_len=config.text_len).train()
        else:
            encoder = TextEncoder.tiny(text_dim=config.text_dim, text_len=config.text_len)
        dit = WanS2V(config) if start is None else begun_from(start, config)
        if adapters is not None and adapters.rank:
            add_adapters(dit, adapters)
        return cls(dit, encoder, frozen_text=frozen)

    @classmethod
    def load(
        cls, export: Path, *, adapters: LowRank | None = None, published: Published | None = None
    ) -> Self:
        """The model of an export, its text encoder frozen. published: where all began; `export` may
        be that folder. Raises CheckpointError.
        """
        if adapters is not None and not adapters.rank:
            adapters = None
        if published is not None:
            dit, over = published.transformer(export, adapters)
            return cls(
                dit, published.prompts, published=published,
                over_published=adapters if over else None,
            )  # fmt: skip
        dit = load_checkpoint(export)
        if adapters is not None:
            add_adapters(dit, adapters)
        text = TextEncoder.load(export / "text_encoder", text_len=dit.config.text_len)
        return cls(dit, text, frozen_text=True)

    def settle(self, workers: Workers) -> Self:
        """Share the transformer among the workers, layer by layer: no device ever holds it whole.
        Then move the rest to their device. Returns self."""
        workers.shard(self.dit, frozen_text=self.frozen_text)
        return self.to(workers.device)

    def states(self, prompts: Sequence[str]) -> Tensor:
        """Text states [P, longest, text_dim] of prompts, zero past each one's end."""
        if self._frozen is None:
            assert self.text is not None
            return self.text.encode_batch(prompts)
        device = self.dit.patch_embedding.weight.device
        with torch.autocast(device.type, enabled=False):
            return self._frozen.table(prompts).to(device)

    def forward(self, batch: WindowBatch, x: Tensor, sigma: Tensor) -> Tensor:
        """Noisy windows [B, N, C, F, h, w] at sigma [B, N] -> velocity of the same shape."""
        return self.dit.forward_window(
            x, 1000.0 * sigma, batch.audio, self.states(batch.prompts), batch.sink,
            prompt_index=batch.prompt_index, sink_prompt_index=batch.sink_prompt,
        )  # fmt: skip


def export_model(
    model: TalkingModel, average: ParameterAverage, config: DiTConfig, folder: Path,
    workers: Workers,
) -> None:  # fmt: skip
    """Write the averaged weights in the published format, bfloat16, and the text encoder's.

    What low-rank adapters add is merged into the weights; adapters over published weights are
    written alone (`LORA`), for these can be had. All processes gather, a tensor at a time; the
    first keeps and writes.
    """
    values: dict[str, Tensor] = dict(model.named_parameters()) | average.values
    dit = {name[4:]: value for name, value in values.items() if name.startswith("dit.")}
    alone = model.over_published
    parts: Iterable[tuple[str, Tensor]]
    if alone is not None:
        parts = ((name, whole(value)) for name, value in dit.items() if ".lora_" in name)
    else:
        parts = merged_weights(model.dit, dit)
    kept: dict[str, Tensor] = {}
    for name, value in parts:
        if workers.first:
            kept[name] = value.detach().to(torch.bfloat16).cpu().contiguous()
    if workers.first:
        folder.mkdir(parents=True, exist_ok=True)
        if alone is not None:
            save_adapters(kept, folder / LORA, alone)
        else:
            _write(model, kept, values, config, folder)
        (folder / (LORA if alone is None else WEIGHTS)).unlink(missing_ok=True)  # of another recipe
    workers.wait()


def _write(
    model: TalkingModel, dit: Mapping[str, Tensor], values: Mapping[str, Tensor],
    config: DiTConfig, folder: Path,
) -> None:  # fmt: skip
    save_file(dict(dit), folder / WEIGHTS, metadata={"format": "pt"})
    if model.published is not None:
        model.published.write_config(folder)
        return
    (folder / "config.json").write_text(json.dumps(config.to_dict(), indent=1) + "\n")
    if model.text is None:
        return
    text = copy.deepcopy(model.text).cpu()
    with torch.no_grad():
        for name, parameter in text.named_parameters():
            parameter.copy_(values[f"text.{name}"])
    text.save(folder / "text_encoder")
