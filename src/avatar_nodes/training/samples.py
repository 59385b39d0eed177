"""Sample pictures and lip-sync of a model in training, on a person of the validation split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from avatar_nodes.evaluation.sync import generate, measure_clip, speaking_clips, write_strip
from avatar_nodes.model.checkpoint import load_checkpoint
from avatar_nodes.model.text import TextEncoder
from avatar_nodes.model.tiny_vae import load_vae
from avatar_nodes.streaming.audio_features import MelFeatures
from avatar_nodes.streaming.block import Prompt
from avatar_nodes.streaming.decoder import TinyStreamingDecoder
from avatar_nodes.streaming.pipeline import Pipeline
from avatar_nodes.streaming.schedule import Schedule
from avatar_nodes.streaming.stage import Stage


class _Prompts:
    """Encodes prompts with a text encoder; the text is its own id."""

    def __init__(self, text: TextEncoder) -> None:
        self._text = text

    def encode(self, text: str) -> Prompt:
        """See `evaluation.sync.Prompts`."""
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
        MelFeatures(),
        past_blocks=dit.config.past_blocks,
    )
    clip = next(speaking_clips(1, blocks, "val"))
    frames = generate(pipeline, _Prompts(text), clip)
    write_strip(picture, clip, frames)
    return measure_clip(clip, frames).sync.correlation
