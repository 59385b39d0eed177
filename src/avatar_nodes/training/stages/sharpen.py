"""Trains the decoder on, the encoder kept: on latents as they are, and as the denoiser makes them.

What a denoiser of a few steps makes is never quite a picture's latent: a little of the noise stays
in it, and what it does not know exactly is smoothed. A decoder that has only seen exact latents
shows every such error as a stain. Beside the exact ones it is therefore shown estimates
(`estimates.py`), and the picture that they should have been.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from avatar_nodes.model.checkpoint import CheckpointError
from avatar_nodes.model.tiny_decoder import FRAMES_PER_LATENT
from avatar_nodes.model.tiny_vae import TinyVAE, channels_last, load_vae
from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.data.snippets import Snippets
from avatar_nodes.training.flow.estimates import estimated_blocks
from avatar_nodes.training.flow.matching import cell_weight
from avatar_nodes.training.loop.parameter_average import ParameterAverage
from avatar_nodes.training.loop.run import TrainingRun
from avatar_nodes.training.stages.vae import export_vae, psnr, reconstruction_loss, write_pictures
from avatar_nodes.training.transformer.talking_model import TalkingModel


@dataclass(frozen=True)
class SharpenTraining:
    """Settings of training the decoder on."""

    steps: int = 1200
    minutes: float | None = None
    batch: int = 2
    """Whole pictures' snippets: one of twelve frames at 256x256 weighs as much as four crops."""
    learning_rate: float = 3e-4
    estimate_share: float = 0.5
    """Share of a batch that is decoded from the denoiser's estimates; the rest from exact latents.
    With 0 no transformer needs to be trained yet."""
    mouth_weight: float = 3.0
    motion_weight: float = 2.0
    """Loss weight of what differs from the reference picture: hands are few pixels."""
    snippets: int = 2400
    """Number of snippets of twelve frames held in memory (2.4 MB each at 256x256)."""
    seed: int = 1

    @property
    def estimates(self) -> int:
        """Number of estimates in a batch; they come first."""
        return round(self.batch * self.estimate_share)


class _Pictures:
    """Snippets with the latents, exact and estimated, that they are to be decoded from."""

    def __init__(self, snippets: Snippets, clips: EncodedClips, estimates: Tensor | None) -> None:
        self.snippets = snippets
        self.clips = clips
        self.estimates = estimates
        """float16 [len(snippets), C, 3, h, w]."""

    def draw(
        self, rng: np.random.Generator, options: SharpenTraining
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Latents [B, 3, C, h, w], frames [B, 12, 3, H, W] in -1..1, weights [B, 12, 1, H, W],
        reference pictures [B, 3, H, W].
        """
        rows = rng.integers(len(self.snippets), size=options.batch).tolist()
        window = self.clips.windows(rng, self.places(rows), 1)
        latents = window.latents[:, 0]
        if self.estimates is not None:
            estimated = self.estimates[rows[: options.estimates]].float()
            latents = torch.cat([estimated, latents[options.estimates :]])
        weight = cell_weight(window, options.mouth_weight, options.motion_weight)[:, 0]
        frames = torch.cat([self.snippets.whole(row)[0] for row in rows])
        references = torch.cat([self.snippets.reference(row) for row in rows])
        return latents.transpose(1, 2), frames, _in_pixels(weight, frames), references

    def places(self, rows: Sequence[int]) -> list[tuple[int, int]]:
        """(clip, block) of the snippets, in the encoded clips."""
        number = {key: i for i, key in enumerate(self.clips.keys)}
        sources = (self.snippets.sources[row] for row in rows)
        return [(number[key], block) for key, block in sources]


def train_sharpen(
    options: SharpenTraining, *, shards: Path, clips: Path, folder: Path, vae: Path,
    denoiser: Path, sigmas: Sequence[float], resume: bool, start: Path | None = None,
) -> bool:  # fmt: skip
    """Train the decoder of the export `vae`, and export to `folder/vae` when the run is complete;
    whether it is.

    The encoder and its latent statistics stay, so encoded clips stay valid. denoiser: the export
    whose estimates are decoded. start: an autoencoder whose decoder to begin from, its encoder the
    same. Raises CheckpointError if an export cannot be loaded or `start` has another encoder,
    FileNotFoundError without clips.
    """
    torch.manual_seed(options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = channels_last(_begun(vae, start).float()).to(device).train()
    decoder = model.decoder.requires_grad_(True)
    optimizer = torch.optim.AdamW(
        decoder.parameters(), lr=options.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4
    )
    average = ParameterAverage(model, decay=0.998)
    run = TrainingRun(
        folder,
        state={"vae": model, "optimizer": optimizer, "average": average},
        steps=options.steps,
        minutes=options.minutes,
        resume=resume,
    )
    data = _read(options, shards, clips, denoiser, sigmas)
    for step in run:
        rng = np.random.default_rng((options.seed, step))
        drawn = (x.to(device) for x in data.draw(rng, options))
        latents, frames, weight, references = drawn
        scale = min(1.0, (step + 1) / 50) * (0.02 + 0.98 * (1 - run.fraction**2))
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * scale
        with torch.autocast(device.type, torch.bfloat16):
            output, _ = model.decode(latents, pictures=references)
        parts = reconstruction_loss(output.float(), frames, weight)
        loss = parts["pixel"] + parts["edge"] + 0.25 * parts["motion"] + 2.0 * parts["square"]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        figures = _sharpness(output.detach().float(), frames, options)
        run.log({"loss": loss.item(), **figures, "grad": norm.item()})
        optimizer.step()
        average.update(step)
        if step % 200 == 199:
            picture = folder / "samples" / f"{step + 1:06d}.png"
            _strip(model, data, picture)
            run.picture("decoded", picture, step + 1)
    if run.complete:
        export_vae(model, average, folder / "vae")
    return run.complete


def _begun(vae: Path, start: Path | None) -> TinyVAE:
    """The autoencoder `vae`, or `start` if it has the same latents, whatever its decoder is."""
    model = load_vae(vae)
    if start is None:
        return model
    begun = load_vae(start)
    latents, wanted = _without_decoder(begun), _without_decoder(model)
    config = model.config
    same = latents.keys() == wanted.keys() and config == replace(
        begun.config,
        decoder_channels=config.decoder_channels,
        reference_channels=config.reference_channels,
    )
    if not same or any(not torch.equal(latents[name], wanted[name]) for name in wanted):
        raise CheckpointError(f"{start}: its encoder is not that of {vae}, so latents differ")
    return begun


def _without_decoder(vae: TinyVAE) -> dict[str, Tensor]:
    return {k: v for k, v in vae.state_dict().items() if not k.startswith("decoder.")}


def _read(
    options: SharpenTraining, shards: Path, clips: Path, denoiser: Path, sigmas: Sequence[float]
) -> _Pictures:
    encoded, threads = EncodedClips(clips, "train"), torch.get_num_threads()
    keys = set(encoded.keys)  # more may be rendered than were encoded
    snippets = Snippets.read(shards, count=options.snippets, threads=threads, keys=keys)
    data = _Pictures(snippets, encoded, None)
    if options.estimates:
        talking = TalkingModel.load(denoiser).eval()
        everything = data.places(range(len(snippets)))
        data.estimates = estimated_blocks(
            talking, data.clips, everything, sigmas=sigmas, seed=options.seed
        )
    return data


def _sharpness(output: Tensor, frames: Tensor, options: SharpenTraining) -> dict[str, float]:
    """PSNR of the batch's estimates and of its exact latents, as far as it has them."""
    parts = {
        "psnr_estimated": slice(None, options.estimates),
        "psnr": slice(options.estimates, None),
    }
    return {
        name: psnr(output[rows], frames[rows]) for name, rows in parts.items() if len(frames[rows])
    }


def _in_pixels(weight: Tensor, frames: Tensor) -> Tensor:
    """Weights of latent cells [B, 1, 3, h, w], for the pixels of frames [B, 12, 3, H, W]."""
    stride = frames.shape[-1] // weight.shape[-1]
    spread = weight.transpose(1, 2).repeat_interleave(FRAMES_PER_LATENT, dim=1)
    return spread.repeat_interleave(stride, dim=-2).repeat_interleave(stride, dim=-1)


@torch.no_grad()
def _strip(vae: TinyVAE, data: _Pictures, path: Path) -> None:
    """Truth above, decoded exact latents below, decoded estimates, if any, at the bottom."""
    device, columns = next(vae.parameters()).device, []
    for row in data.snippets.spread(5):
        frames, _ = data.snippets.whole(row)
        window = data.clips.windows(np.random.default_rng(0), data.places([row]), 1)
        sources = [window.latents[:, 0]]
        if data.estimates is not None:
            sources.append(data.estimates[row : row + 1].float())
        rows = [frames[0, -1]]
        for latents in sources:
            with torch.autocast(device.type, torch.bfloat16):
                reference = data.snippets.reference(row).to(device)
                output, _ = vae.decode(latents.transpose(1, 2).to(device), pictures=reference)
            rows.append(output[0, -1].float().cpu())
        columns.append(torch.cat(rows, dim=1))
    write_pictures(columns, path)
