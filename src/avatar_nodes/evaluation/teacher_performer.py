"""Runs the many-step teacher as the baseline of distillation."""

from __future__ import annotations

from pathlib import Path

import torch

from avatar_nodes.clips.conditions import clip_conditions
from avatar_nodes.clips.encoders import decode_clip
from avatar_nodes.clips.teacher_sampler import sample_teacher_clip
from avatar_nodes.decoding.decoder import TinyStreamingDecoder
from avatar_nodes.judging.footage import Footage
from avatar_nodes.model.checkpoint import load_checkpoint
from avatar_nodes.model.text import TextEncoder
from avatar_nodes.model.tiny_vae import load_vae
from avatar_nodes.world.clips import Clip


class TeacherPerformer:
    """An exported bidirectional teacher, window after window, each continuing the one before.

    It sees each window whole, its future too, and may take as long as it likes.
    """

    name = "teacher"

    def __init__(
        self, folder: Path, vae: Path, *, blocks: int = 3, steps: int = 40, shift: float = 3.0,
        audio_guidance: float = 1.0, text_guidance: float = 1.0,
    ) -> None:  # fmt: skip
        """folder: `teacher/export` of a training run; vae: the autoencoder's folder.

        Raises CheckpointError.
        """
        self._dit = load_checkpoint(folder).eval()
        self._text = TextEncoder.load(folder / "text_encoder", text_len=self._dit.config.text_len)
        self._decoder = TinyStreamingDecoder(load_vae(vae), dtype=torch.bfloat16)
        self._blocks = blocks
        self._how = {"steps": steps, "shift": shift, "audio_guidance": audio_guidance,
                     "text_guidance": text_guidance}  # fmt: skip
        passes = 1 + (audio_guidance != 1.0) + (text_guidance != 1.0)
        self.evaluations: int | None = steps * passes

    @torch.inference_mode()
    def perform(self, clip: Clip, *, seed: int = 0) -> Footage:
        """See `Performer.perform`."""
        blocks = min(self._blocks, clip.spec.blocks)
        conditions = clip_conditions(clip, self._text, self._decoder)
        noise = torch.randn(
            1, clip.spec.blocks, self._dit.config.latent_shape[0], 3,
            *self._dit.config.latent_shape[1:], generator=torch.Generator().manual_seed(seed),
        )  # fmt: skip
        with torch.autocast("cpu", torch.bfloat16):
            latents = sample_teacher_clip(
                self._dit, conditions, noise, blocks=blocks, overlap=min(1, blocks - 1),
                **self._how,  # type: ignore[arg-type]
            )  # fmt: skip
        return Footage.of(clip, decode_clip(self._decoder, conditions.sink[0], latents[0].float()))
