"""Shows and measures what a stage has exported, on people that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from avatar_nodes.block.audio_features import MelFeatures
from avatar_nodes.block.block import Prompt
from avatar_nodes.block.schedule import Schedule
from avatar_nodes.clips.stream import clip_stream
from avatar_nodes.clips.teacher_sampler import TeacherSampler
from avatar_nodes.decoding.decoder import TinyStreamingDecoder
from avatar_nodes.denoising.stage import Stage
from avatar_nodes.judging.clip_sync import measure_clip, speaking_clips
from avatar_nodes.judging.image_quality import psnr, ssim
from avatar_nodes.judging.picture_strip import write_strip
from avatar_nodes.model.checkpoint import load_checkpoint
from avatar_nodes.model.text import TextEncoder
from avatar_nodes.model.tiny_vae import load_vae
from avatar_nodes.pipeline.pipeline import Pipeline
from avatar_nodes.training.data.shards.clips import ShardClips


class _Prompts:
    """Encodes prompts with a text encoder; the text is its own id."""

    def __init__(self, text: TextEncoder) -> None:
        self._text = text

    def encode(self, text: str) -> Prompt:
        """See `clips.stream.Prompts.encode`."""
        return Prompt(id=text, text=text, states=self._text.encode(text).float())


def sample_export(
    export: Path, vae: Path, sigmas: Sequence[float], picture: Path, *, blocks: int = 8
) -> float:
    """Stream one validation clip through exported weights; returns its aperture correlation.

    `picture` gets the truth above and what was made below.
    """
    schedule = Schedule(sigmas)
    dit = load_checkpoint(export)
    text = TextEncoder.load(export / "text_encoder", text_len=dit.config.text_len)
    stage = Stage(dit.serving(torch.float32), schedule, range(schedule.num_steps))
    pipeline = Pipeline(
        [stage],
        TinyStreamingDecoder(load_vae(vae)),
        MelFeatures(dit.config.timing),
        past_blocks=dit.config.past_blocks,
    )
    clip = next(speaking_clips(1, blocks, "val", timing=dit.config.timing))
    stream = clip_stream(pipeline, _Prompts(text), clip, seed=0)
    frames = np.concatenate([pipeline.render_block(sound) for sound in stream])
    write_strip(picture, clip, frames)
    return measure_clip(clip, frames).sync.correlation


def sample_teacher_export(
    export: Path, vae: Path, picture: Path, *, blocks: int, steps: int, shift: float,
    clip_blocks: int = 8,
) -> float:  # fmt: skip
    """Sample one validation clip from an exported teacher; returns its aperture correlation.

    blocks: its window. `picture` gets the truth above and what was made below.
    """
    teacher = TeacherSampler(export, vae, blocks=blocks, steps=steps, shift=shift)
    count = max(clip_blocks, blocks)
    clip = next(speaking_clips(1, count, "val", timing=teacher.timing))
    frames = teacher.frames(clip)
    write_strip(picture, clip, frames)
    return measure_clip(clip, frames).sync.correlation


@torch.no_grad()
def reconstruction_quality(
    vae: Path, shards: Path, *, split: str = "test", blocks: int = 4
) -> dict[str, float]:
    """`vae_psnr` in dB and `vae_ssim` of a split's clips, the first `blocks` blocks of each.

    vae: the export's folder. Raises CheckpointError if it cannot be loaded, ShardError if there
    are no such clips.
    """
    model = load_vae(vae)
    found = []
    for clip in ShardClips(shards, split):
        truth = clip.frames(range(min(blocks, clip.blocks)))
        frames, reference = (_pixels(truth), _pixels(clip.reference[None]))
        output, _ = model.decode(model.encode(frames[None]), pictures=reference)
        made = output[0].add(1.0).mul(127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1)
        found.append((psnr(made.numpy(), truth), ssim(made.numpy(), truth)))
    return dict(zip(("vae_psnr", "vae_ssim"), np.mean(found, axis=0).tolist(), strict=True))


def _pixels(pictures: np.ndarray) -> torch.Tensor:
    """uint8 [n, H, W, 3] -> [n, 3, H, W] in -1..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).div(127.5).sub(1.0)
