"""Trains the tiny video autoencoder on short snippets of the clips."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from avatar_nodes.model.reference_decoder import put_together
from avatar_nodes.model.tensor_files import CheckpointError
from avatar_nodes.model.tiny_vae import TinyVAE, channels_last, load_vae
from avatar_nodes.model.tiny_vae_config import TinyVAEConfig
from avatar_nodes.training.data.snippets import Snippets
from avatar_nodes.training.loop.parameter_average import ParameterAverage
from avatar_nodes.training.loop.run import TrainingRun


@dataclass(frozen=True)
class VAETraining:
    """Settings of training a `TinyVAE`."""

    steps: int = 4000
    minutes: float | None = None
    batch: int = 8
    crop: int = 128
    """Side of the training crops in pixels; being convolutional, it decodes 256 as well."""
    learning_rate: float = 4e-4
    latent_noise: float = 0.06
    """Noise on the latents, as a share of their deviation: generated latents are not exact."""
    shrunk_share: float = 0.0
    """Share of steps in which the latents are made smaller and must decode to the smaller picture
    (EQ-VAE). It makes latents smooth: what a transformer cannot tell then decodes to a blur of what
    it may be, where latents that change with every pixel of a movement average to nothing."""
    mouth_weight: float = 3.0
    motion_weight: float = 1.0
    """Loss weight of what differs from the reference picture: hands and things are few pixels."""
    reference_channels: tuple[int, ...] = ()
    """Of the reference picture's features, from the image side: a decoder that looks at the picture
    beside the latents. None of them: one that makes frames of latents alone, or what `--start` has.
    """
    drawn_weight: float = 0.0
    """Loss weight of what is drawn before the picture is mixed in, everywhere: else it is trained
    only where the mask lets it be seen."""
    keep_encoder: bool = False
    """Train the decoder only, so that latents stay what they are, and what was trained on them."""
    snippets: int = 2400
    """Number of snippets of twelve frames held in memory (2.4 MB each at 256x256)."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.keep_encoder and self.shrunk_share:
            raise ValueError(
                "shrunk_share trains the encoder, which keep_encoder keeps: set it to 0"
            )


@dataclass(frozen=True)
class DecoderTraining(VAETraining):
    """Settings of training a decoder that looks at the reference picture, the encoder kept.

    Much noise on the latents: what it cannot read off them it then takes from the picture.
    """

    steps: int = 4000
    batch: int = 6
    learning_rate: float = 5e-4
    latent_noise: float = 0.2
    motion_weight: float = 4.0
    drawn_weight: float = 1.0
    reference_channels: tuple[int, ...] = (32, 64, 96, 128)
    keep_encoder: bool = True


def reconstruction_loss(output: Tensor, target: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Weighted L1 on pixels, on their spatial differences (edges) and on differences in time.

    All [B, F, 3, H, W] in -1..1; weight [B, F, 1, H, W].
    """
    error = output - target
    pixel = (error.abs() * weight).mean()
    edge = 0.5 * (
        (error.diff(dim=-1).abs() * weight[..., 1:]).mean()
        + (error.diff(dim=-2).abs() * weight[..., 1:, :]).mean()
    )
    motion = error.diff(dim=1).abs().mean()
    square = (error.square() * weight).mean()
    return {"pixel": pixel, "edge": edge, "motion": motion, "square": square}


def shrunk(x: Tensor, side: int) -> Tensor:
    """Frames or latents [B, F, C, H, W] made smaller, to [..., side, side], without aliasing."""
    small = functional.interpolate(
        x.float().flatten(0, 1), size=(side, side), mode="bilinear", antialias=True
    )
    return small.unflatten(0, x.shape[:2])


def latent_noise(z: Tensor, share: float, seed: int) -> Tensor:
    """Normal noise for latents [B, ...], of a strength of 0 to `share` for each of the batch.

    Drawn on the CPU, so that a resumed run on a GPU goes on with the noise of an unbroken one.
    """
    generator = torch.Generator().manual_seed(seed)
    strength = share * torch.rand(len(z), *[1] * (z.ndim - 1), generator=generator)
    return (strength * torch.randn(z.shape, generator=generator)).to(z.device)


def psnr(output: Tensor, target: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in -1..1."""
    square = (output.clamp(-1, 1) - target).square().mean().item()
    return 10.0 * math.log10(4.0 / max(square, 1e-12))


def train_vae(
    options: VAETraining, *, shards: Path, folder: Path, resume: bool,
    start: Path | None = None,
) -> bool:  # fmt: skip
    """Train on the clips in `shards`, and export to `folder/vae` when the run is complete; whether
    it is.

    start: the export whose weights begin this run. Raises CheckpointError if it cannot be loaded.
    """
    torch.manual_seed(options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    vae = channels_last(_begun(options, start)).to(device).train().requires_grad_(True)
    vae.encoder.requires_grad_(not options.keep_encoder)
    trained = [parameter for parameter in vae.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, lr=options.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
    )
    average = ParameterAverage(vae, decay=0.998)
    run = TrainingRun(
        folder,
        state={"vae": vae, "optimizer": optimizer, "average": average},
        steps=options.steps,
        minutes=options.minutes,
        resume=resume,
    )
    data = Snippets.read(shards, count=options.snippets, threads=torch.get_num_threads())
    for step in run:
        rng = np.random.default_rng((options.seed, step))
        crops = data.crops(
            rng, options.batch, options.crop, options.mouth_weight, options.motion_weight
        )
        frames, weight = crops.frames.to(device), crops.weights.to(device)
        references = crops.references.to(device)
        progress = run.fraction
        warm = min(1.0, (step + 1) / 100)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * warm * (0.02 + 0.98 * (1 - progress**2))
        with torch.autocast(device.type, torch.bfloat16):
            z = vae.encode(frames)
            deviation = z.detach().float().std(dim=(0, 1, 3, 4), keepdim=True)
            if rng.random() < options.shrunk_share:
                cells = z.shape[-1]
                side = int(rng.integers(max(1, cells // 4), cells))
                z = shrunk(z, side)
                pixels = side * vae.config.spatial_stride
                frames, weight = shrunk(frames, pixels), shrunk(weight, pixels)
                references = shrunk(references[:, None], pixels)[:, 0]
            noise = latent_noise(z, options.latent_noise, options.seed * 1_000_003 + step)
            output, drawn = _decoded(vae, z + (noise * deviation).to(z.dtype), references)
        parts = reconstruction_loss(output.float(), frames, weight)
        alone = reconstruction_loss(drawn.float(), frames, weight)["pixel"]
        size = z.float().square().mean()
        loss = (
            parts["pixel"]
            + parts["edge"]
            + 0.25 * parts["motion"]
            + 2.0 * parts["square"]
            + options.drawn_weight * alone
            + 1e-5 * size
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(trained, 1.0)
        figures = {"loss": loss.item(), "psnr": psnr(output.detach().float(), frames)}
        run.log({**figures, "grad": norm.item()})  # before it can spoil the weights
        optimizer.step()
        average.update(step)
        if step % 500 == 499:
            picture = folder / "samples" / f"{step + 1:06d}.png"
            _strip(vae, data, picture)
            run.picture("reconstruction", picture, step + 1)
    if run.complete:
        measured = None if options.keep_encoder else data
        export_vae(vae, average, folder / "vae", measured_on=measured)
    return run.complete


def _decoded(vae: TinyVAE, z: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Frames of latents, and those that are drawn without what is taken from the reference."""
    if not vae.looks_at_reference:
        output, _ = vae.decode(z, pictures=references)
        return output, output
    painting, _ = vae.paint(z, vae.look_at(references))
    return put_together(painting, references), painting.drawn


def _begun(options: VAETraining, start: Path | None) -> TinyVAE:
    """A new autoencoder, or the one at `start`; its decoder may learn to look at the reference."""
    wanted = options.reference_channels
    if start is None:
        return TinyVAE(TinyVAEConfig(reference_channels=wanted))
    begun = load_vae(start).float()
    if not wanted or wanted == begun.config.reference_channels:
        return begun
    if begun.looks_at_reference:
        raise CheckpointError(
            f"{start}: has reference_channels {list(begun.config.reference_channels)}, the recipe"
            f" asks for {list(wanted)}"
        )
    looking = TinyVAE(replace(begun.config, reference_channels=wanted))
    looking.load_state_dict({**looking.state_dict(), **begun.state_dict()})
    return looking


@torch.no_grad()
def export_vae(
    vae: TinyVAE, average: ParameterAverage, folder: Path, *, measured_on: Snippets | None = None
) -> None:
    """Write the averaged weights; the latents' channel statistics are kept, or measured anew."""
    folder.mkdir(parents=True, exist_ok=True)
    data, config = measured_on, vae.config
    if data is not None:
        config = replace(config, latents_mean=(), latents_std=())
    smooth = TinyVAE(config)
    smooth.load_state_dict(vae.state_dict())
    for name, value in smooth.named_parameters():
        value.copy_(average.values[name])
    if data is not None:
        raw = torch.cat([smooth.encode(data.whole(i)[0]).flatten(0, 1) for i in data.spread(64)])
        mean, std = raw.mean(dim=(0, 2, 3)).tolist(), raw.std(dim=(0, 2, 3)).tolist()
        config = replace(config, latents_mean=tuple(mean), latents_std=tuple(std))
    config.to_json(folder / "config.json")
    weights = {k: v.to(torch.bfloat16).contiguous() for k, v in smooth.state_dict().items()}
    save_file(weights, folder / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})


@torch.no_grad()
def _strip(vae: TinyVAE, data: Snippets, path: Path) -> None:
    """Truth above, reconstruction below."""
    columns = []
    for index in data.spread(5):
        frames, _ = data.whole(index)
        device = next(vae.parameters()).device
        reference = data.reference(index).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            output, _ = vae.decode(vae.encode(frames.to(device)), pictures=reference)
        columns.append(torch.cat([frames[0, -1], output[0, -1].float().cpu()], dim=1))
    write_pictures(columns, path)


def write_pictures(columns: list[Tensor], path: Path) -> None:
    """Pictures [3, H, W] in -1..1, side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = torch.cat(columns, dim=2).add(1).mul(127.5).round().clamp(0, 255).byte()
    cv2.imwrite(str(path), cv2.cvtColor(pixels.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2BGR))
