"""Trains the causal few-step model: flow matching with block-wise noise (Live Avatar, stage 1).

The model is trained in the very situation of the stream: every block sees the sink, its past blocks
at their own noise level, and itself. Half of the windows carry one noise level for all blocks, as
the same-noise KV caches of the stream do, half carry independent ones (diffusion forcing).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.text import TextEncoder
from avatar_nodes.training.encoded import EncodedClips, WindowBatch
from avatar_nodes.training.run import TrainingRun
from avatar_nodes.training.samples import sample_export
from avatar_nodes.training.vae import ParameterAverage


@dataclass(frozen=True)
class CausalTraining:
    """How to train the causal model."""

    steps: int = 8000
    minutes: float | None = None
    batch: int = 8
    blocks: int = 4
    learning_rate: float = 1.5e-3
    matrix_learning_rate: float = 0.02
    """For the hidden matrices, which Muon updates."""
    warmup: int = 150
    mouth_weight: float = 6.0
    """Loss weight of the latent cells that the mouth touches: lips are few tokens, and late."""
    motion_weight: float = 3.0
    """Loss weight of cells that differ from the reference picture: arms are few tokens, too."""
    on_schedule_share: float = 0.75
    """Share of noise levels drawn from the few that inference visits; the rest is continuous."""
    compile: bool = True
    """torch.compile the layers: a minute of waiting, then about 40 % less time a step."""
    sample_every: int = 500
    seed: int = 0


class TalkingModel(nn.Module):
    """The diffusion transformer and its text encoder, trained together at tiny size."""

    def __init__(self, dit: WanS2V, text: TextEncoder) -> None:
        super().__init__()
        self.dit = dit
        self.text = text

    def forward(self, batch: WindowBatch, x: Tensor, sigma: Tensor) -> Tensor:
        """Noisy windows [B, N, C, 3, h, w] at sigma [B, N] -> velocity of the same shape."""
        states = self.text.encode_batch(batch.prompts)
        return self.dit.forward_window(
            x, 1000.0 * sigma, batch.audio, states, batch.sink, prompt_index=batch.prompt_index
        )


def draw_sigmas(
    rng: np.random.Generator, shape: tuple[int, int], levels: Sequence[float], share: float
) -> Tensor:
    """Noise levels [B, N]: of each window one for all blocks (even rows) or independent ones.

    `share` of the draws are from `levels` (what inference visits), the others uniform, shifted.
    """
    rows, _ = shape
    uniform = rng.uniform(0.0, 1.0, shape)
    shifted = 3.0 * uniform / (1.0 + 2.0 * uniform)
    chosen = rng.choice(np.asarray(levels), shape)
    sigma = np.where(rng.random((rows, 1)) < share, chosen, shifted)
    sigma[::2] = sigma[::2, :1]
    return torch.from_numpy(sigma).float()


def cell_weight(batch: WindowBatch, mouth_weight: float, motion_weight: float) -> Tensor:
    """Loss weights [B, N, 1, 3, h, w] of a batch's latent cells; 1 where nothing happens."""
    return 1.0 + (mouth_weight - 1.0) * batch.mouth + (motion_weight - 1.0) * batch.motion


def flow_matching_loss(
    velocity: Tensor, target: Tensor, mouth: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Weighted mean square error of the velocity (paper eq. 3); (total, mouth part, rest).

    velocity, target [B, N, C, 3, h, w]; mouth, weight [B, N, 1, 3, h, w].
    """
    square = (velocity - target).square().mean(dim=2, keepdim=True)
    total = (square * weight).sum() / weight.sum()
    inside = (square * mouth).sum() / mouth.sum().clamp_min(1.0)
    outside = (square * (1 - mouth)).sum() / (1 - mouth).sum().clamp_min(1.0)
    return total, inside, outside


class Optimizers:
    """Muon for the hidden matrices, AdamW for the rest, one schedule for both."""

    def __init__(self, model: nn.Module, options: CausalTraining) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            hidden = parameter.ndim == 2 and (".blocks." in name or "audio_injector" in name)
            (matrices if hidden else others).append(parameter)
        self._muon = torch.optim.Muon(
            matrices, lr=options.matrix_learning_rate, momentum=0.95, weight_decay=0.01
        )
        self._adam = torch.optim.AdamW(
            others, lr=options.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        self._base = (options.matrix_learning_rate, options.learning_rate)

    def step(self, scale: float) -> None:
        """One update at `scale` of the base learning rates; clears the gradients."""
        for optimizer, base in zip((self._muon, self._adam), self._base, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = base * scale
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, object]:
        return {"muon": self._muon.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, dict[str, object]]) -> None:
        self._muon.load_state_dict(state["muon"])
        self._adam.load_state_dict(state["adam"])


def learning_rate_scale(step: int, progress: float, warmup: int) -> float:
    """Linear warm-up, flat, then linear decay to 2 % over the last 40 % of the run."""
    decay = 1.0 if progress < 0.6 else 0.02 + 0.98 * (1.0 - progress) / 0.4
    return min(1.0, (step + 1) / warmup) * decay


def train_causal(
    options: CausalTraining,
    *,
    config: DiTConfig,
    clips: Path,
    folder: Path,
    sigmas: Sequence[float],
    vae: Path,
    resume: bool,
) -> None:
    """Train; every `sample_every` steps export the averaged weights to `folder/export` and stream a
    validation clip through them: a picture in `folder/samples`, its lip-sync among the curves.
    """
    torch.manual_seed(options.seed)
    text = TextEncoder.tiny(text_dim=config.text_dim, text_len=config.text_len)
    model = TalkingModel(WanS2V(config), text)
    optimizers = Optimizers(model, options)
    average = ParameterAverage(model, decay=0.9985)
    run = TrainingRun(
        folder,
        state={"model": model, "optimizers": optimizers, "average": average},
        steps=options.steps,
        minutes=options.minutes,
        resume=resume,
    )
    if options.compile:
        model.dit.compile_training()
    data = EncodedClips(clips, "train")
    levels = sigmas[:-1]
    for step in run:
        rng = np.random.default_rng((options.seed, step))
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
        batch = data.batch(rng, options.batch, options.blocks)
        sigma = draw_sigmas(rng, (options.batch, options.blocks), levels, options.on_schedule_share)
        noise = torch.randn(batch.latents.shape, generator=generator)
        s = sigma[:, :, None, None, None, None]
        with torch.autocast("cpu", torch.bfloat16):
            velocity = model(batch, (1 - s) * batch.latents + s * noise, sigma)
        loss, mouth, rest = flow_matching_loss(
            velocity.float(), noise - batch.latents, batch.mouth,
            cell_weight(batch, options.mouth_weight, options.motion_weight),
        )  # fmt: skip
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizers.step(learning_rate_scale(step, run.fraction, options.warmup))
        average.update(step)
        run.log(
            {"loss": loss.item(), "mouth": mouth.item(), "rest": rest.item(), "grad": norm.item()}
        )
        if (step + 1) % options.sample_every == 0:
            export_causal(model, average, config, folder / "export")
            picture = folder / "samples" / f"{step + 1:06d}.png"
            correlation = sample_export(folder / "export", vae, sigmas, picture)
            run.writer.add_scalar("val_aperture_corr", correlation, step + 1)
            print(f"step {step + 1}: aperture correlation {correlation:.3f}, {picture}", flush=True)
    export_causal(model, average, config, folder / "export")


def export_causal(
    model: TalkingModel, average: ParameterAverage, config: DiTConfig, folder: Path
) -> None:
    """Write the averaged weights in the published format, bfloat16, and the text encoder's."""
    folder.mkdir(parents=True, exist_ok=True)
    values = average.values
    dit = {
        name.removeprefix("dit."): value.to(torch.bfloat16).contiguous()
        for name, value in values.items()
        if name.startswith("dit.")
    }
    save_file(dit, folder / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config.to_dict(), indent=1) + "\n")
    text = copy.deepcopy(model.text)
    with torch.no_grad():
        for name, parameter in text.named_parameters():
            parameter.copy_(values[f"text.{name}"])
    text.save(folder / "text_encoder")
