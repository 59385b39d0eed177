"""Samples from the bidirectional teacher in many steps: the quality that the student is held to."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.clips.conditions import Conditions, clip_conditions
from avatar_nodes.clips.flow import noised, shifted
from avatar_nodes.clips.guidance import Guidance, guided_velocity
from avatar_nodes.decoding.decoder import TinyStreamingDecoder, begin_with
from avatar_nodes.model.checkpoint import load_checkpoint
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.text import TextEncoder
from avatar_nodes.model.tiny_vae import load_vae
from avatar_nodes.world.clips import Clip


def sampling_sigmas(steps: int, shift: float) -> list[float]:
    """`steps` noise levels from 1 down, and 0: evenly spaced, then shifted."""
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    return [float(level) for level in shifted(1.0 - np.arange(steps + 1) / steps, shift)]


@torch.no_grad()
def sample_teacher(
    dit: WanS2V, conditions: Conditions, noise: Tensor, *, steps: int = 40,
    audio_guidance: float = 1.0, text_guidance: float = 1.0, shift: float = 3.0,
    known: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Clean windows [B, N, C, F, h, w] from noise of that shape, by Euler steps.

    known: the clean first K blocks [B, K, C, F, h, w] of the windows, which are kept: at every
    step they are put back in at its noise level, so that the others continue them.
    """
    guidance = Guidance(audio=audio_guidance, text=text_guidance)
    sigmas = sampling_sigmas(steps, shift)
    x = noise
    for sigma, following in pairwise(sigmas):
        level = torch.full((x.shape[0],), sigma, device=x.device)
        if known is not None:
            x = _with_known(x, known, noise, level)
        velocity = guided_velocity(dit, x, level, conditions, guidance)
        x = x + (following - sigma) * velocity.float()
    return x if known is None else _with_known(x, known, noise, torch.zeros_like(level))


def sample_teacher_clip(
    dit: WanS2V, conditions: Conditions, noise: Tensor, *, blocks: int, overlap: int = 1,
    steps: int = 40, audio_guidance: float = 1.0, text_guidance: float = 1.0, shift: float = 3.0,
) -> Tensor:  # fmt: skip
    """A clip of any length M >= `blocks` from windows of `blocks` blocks (what it was trained on).

    conditions and noise are of the whole clip, [B, M, ...]; each window continues the last
    `overlap` blocks of the one before. Returns [B, M, C, F, h, w].
    """
    total = noise.shape[1]
    if not 0 <= overlap < blocks <= total:
        raise ValueError(f"need 0 <= overlap < blocks <= {total}, got {overlap} and {blocks}")
    made: Tensor | None = None
    while made is None or made.shape[1] < total:
        first = 0 if made is None else min(made.shape[1] - overlap, total - blocks)
        part = slice(first, first + blocks)
        here = replace(
            conditions,
            audio=conditions.audio[:, part],
            prompt_index=conditions.prompt_index[:, part],
        )
        window = sample_teacher(
            dit, here, noise[:, part], steps=steps, audio_guidance=audio_guidance,
            text_guidance=text_guidance, shift=shift,
            known=None if made is None or made.shape[1] == first else made[:, first:],
        )  # fmt: skip
        made = window if made is None else torch.cat([made[:, :first], window], dim=1)
    return made


class TeacherSampler:
    """An exported bidirectional teacher, window after window, each continuing the one before.

    It sees each window whole, its future too, and may take as long as it likes.
    """

    def __init__(
        self, folder: Path, vae: Path, *, blocks: int, steps: int, shift: float,
        audio_guidance: float = 1.0, text_guidance: float = 1.0,
        dtype: torch.dtype = torch.float32, scale: int = 1,
    ) -> None:  # fmt: skip
        """folder: `teacher/export` of a training run; vae: the autoencoder's folder; blocks: length
        of a window; scale: see `TinyStreamingDecoder`. Raises CheckpointError.
        """
        self._dit = load_checkpoint(folder).eval()
        self._text = TextEncoder.load(folder / "text_encoder", text_len=self._dit.config.text_len)
        self._decoder = TinyStreamingDecoder(load_vae(vae), dtype=dtype, scale=scale)
        self._blocks, self._steps, self._shift = blocks, steps, shift
        self._guidance = Guidance(audio=audio_guidance, text=text_guidance)
        self._dtype = dtype
        self.evaluations = steps * (1 + (audio_guidance != 1.0) + (text_guidance != 1.0))
        """Passes of the network for a window."""

    @property
    def timing(self) -> BlockTiming:
        """How long its frames and blocks last."""
        return self._dit.config.timing

    @torch.inference_mode()
    def frames(self, clip: Clip, *, seed: int = 0) -> np.ndarray:
        """uint8 RGB [F, H, W, 3]: the clip's person with its sound and prompts."""
        blocks = min(self._blocks, clip.spec.blocks)
        conditions = clip_conditions(clip, self._text, self._decoder)
        noise = torch.randn(
            1, clip.spec.blocks, *self._dit.config.block_shape,
            generator=torch.Generator().manual_seed(seed),
        )  # fmt: skip
        with torch.autocast("cpu", torch.bfloat16, enabled=self._dtype == torch.bfloat16):
            latents = sample_teacher_clip(
                self._dit, conditions, noise, blocks=blocks, overlap=min(1, blocks - 1),
                steps=self._steps, audio_guidance=self._guidance.audio,
                text_guidance=self._guidance.text, shift=self._shift,
            )  # fmt: skip
        begin_with(self._decoder, clip.reference())
        return np.concatenate([self._decoder.decode(latent) for latent in latents[0].float()])


def _with_known(x: Tensor, known: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    count = known.shape[1]
    return torch.cat([noised(known, noise[:, :count], sigma), x[:, count:]], dim=1)
