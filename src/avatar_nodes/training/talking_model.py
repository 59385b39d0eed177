"""The diffusion transformer with its text encoder, as the training stages build and export it."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from avatar_nodes.model.checkpoint import CheckpointError, load_checkpoint
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.load_tensors import compare_tensors
from avatar_nodes.model.text import TextEncoder
from avatar_nodes.training.distributed import Workers, whole
from avatar_nodes.training.encoded import WindowBatch
from avatar_nodes.training.lora import LowRank, add_adapters, merged_weights
from avatar_nodes.training.parameter_average import ParameterAverage

if TYPE_CHECKING:
    from typing_extensions import Self

_REMEMBERED_PROMPTS = 4096


class TalkingModel(nn.Module):
    """Causal velocity of a batch of windows; the text encoder is trained along, or frozen."""

    def __init__(self, dit: WanS2V, text: TextEncoder, *, frozen_text: bool = False) -> None:
        super().__init__()
        self.dit = dit
        self.text = text
        self.frozen_text = frozen_text
        self._known: dict[str, Tensor] = {}
        if frozen_text:
            text.requires_grad_(False).eval()

    @classmethod
    def build(
        cls, config: DiTConfig, *, text: Path | None = None, start: Path | None = None,
        adapters: LowRank | None = None,
    ) -> Self:  # fmt: skip
        """A new model, or one that begins from the export in `start`.

        text: folder of a pre-trained text encoder, which is then frozen; without it (or if it is
        not there) the encoder is trained along, beginning as the export's, if there is one.
        adapters: train low-rank adapters only.
        Raises CheckpointError if the export's weights do not fit `config`.
        """
        frozen = text is not None and (text / "config.json").exists()
        folder = text if frozen else start / "text_encoder" if start is not None else None
        if folder is not None and (folder / "config.json").exists():
            encoder = TextEncoder.load(folder, text_len=config.text_len).train()
        else:
            encoder = TextEncoder.tiny(text_dim=config.text_dim, text_len=config.text_len)
        dit = WanS2V(config) if start is None else _begun_from(start, config)
        if adapters is not None and adapters.rank:
            add_adapters(dit, adapters)
        return cls(dit, encoder, frozen_text=frozen)

    @classmethod
    def load(cls, export: Path, *, adapters: LowRank | None = None) -> Self:
        """The model of an export, its text encoder frozen. Raises CheckpointError."""
        dit = load_checkpoint(export)
        if adapters is not None and adapters.rank:
            add_adapters(dit, adapters)
        text = TextEncoder.load(export / "text_encoder", text_len=dit.config.text_len)
        return cls(dit, text, frozen_text=True)

    def settle(self, workers: Workers) -> Self:
        """Move to the workers' device, and share the transformer among them. Returns self."""
        self.to(workers.device)
        workers.shard(self.dit, frozen_text=self.frozen_text)
        return self

    def states(self, prompts: Sequence[str]) -> Tensor:
        """Text states [P, longest, text_dim] of prompts, zero past each one's end."""
        if not self.frozen_text:
            return self.text.encode_batch(prompts)
        if len(self._known) > _REMEMBERED_PROMPTS:
            self._known.clear()
        for prompt in prompts:
            if prompt not in self._known:
                with torch.autocast(self.text.encoder.device.type, enabled=False):
                    self._known[prompt] = self.text.encode(prompt)
        return pad_sequence([self._known[prompt] for prompt in prompts], batch_first=True)

    def forward(self, batch: WindowBatch, x: Tensor, sigma: Tensor) -> Tensor:
        """Noisy windows [B, N, C, 3, h, w] at sigma [B, N] -> velocity of the same shape."""
        return self.dit.forward_window(
            x, 1000.0 * sigma, batch.audio, self.states(batch.prompts), batch.sink,
            prompt_index=batch.prompt_index, sink_prompt_index=batch.sink_prompt,
        )  # fmt: skip


def _begun_from(start: Path, config: DiTConfig) -> WanS2V:
    """A model of `config` with an export's weights, held once. What `config` has no place for is
    left behind (frame packer, memory), and the head where it predicts something else.
    """
    begun = load_checkpoint(start)
    if (begun.config.prediction, config.prediction) == ("velocity", "sink_difference"):
        begun.predict_sink_difference()
    if begun.config.prediction != config.prediction:
        found, wanted = begun.config.prediction, config.prediction
        raise CheckpointError(f"{start}: predicts {found}, not {wanted}")
    without = {
        "frame_packer.": not config.enable_framepack,
        "memory_compressor.": config.memory is None,
    }
    left_behind = tuple(prefix for prefix, missing in without.items() if missing)
    weights = {n: x for n, x in begun.state_dict().items() if not n.startswith(left_behind)}
    with torch.device("meta"):
        dit = WanS2V(config)
    problems = compare_tensors(dict(dit.state_dict()), weights)
    if problems:
        raise CheckpointError(f"{start}: does not fit this model: {'; '.join(problems)}")
    dit.load_state_dict(weights, assign=True)
    return dit.requires_grad_(True)


def export_model(
    model: TalkingModel, average: ParameterAverage, config: DiTConfig, folder: Path,
    workers: Workers,
) -> None:  # fmt: skip
    """Write the averaged weights in the published format, bfloat16, and the text encoder's.

    What low-rank adapters add is merged into the weights. All processes gather, the first writes.
    """
    values: dict[str, Tensor] = whole(dict(model.named_parameters()) | average.values)
    if workers.first:
        _write(model, values, config, folder)
    workers.wait()


def _write(model: TalkingModel, values: dict[str, Tensor], config: DiTConfig, folder: Path) -> None:
    averaged = {
        name.removeprefix("dit."): value for name, value in values.items() if name[:4] == "dit."
    }
    dit = {
        name: value.to(torch.bfloat16).cpu().contiguous()
        for name, value in merged_weights(model.dit, averaged).items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(dit, folder / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config.to_dict(), indent=1) + "\n")
    text = copy.deepcopy(model.text).cpu()
    with torch.no_grad():
        for name, parameter in text.named_parameters():
            parameter.copy_(values[f"text.{name}"])
    text.save(folder / "text_encoder")
