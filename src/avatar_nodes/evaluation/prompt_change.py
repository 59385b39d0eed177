"""A change of the prompt in a stream: how soon it is visible, and whether it leaves a jump.

Measured on latents. A twin stream has the same sound and noise and keeps its prompt, so what
differs from it is the new prompt's doing. A switch to the prompt that holds already shows what the
rebuild of the caches does by itself: it should leave no seam.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.evaluation.clip_stream import Prompts, clip_stream
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.model.tiny_vae import FRAMES_PER_LATENT, TinyVAE
from avatar_nodes.streaming.block import Prompt
from avatar_nodes.streaming.pipeline import Pipeline
from avatar_nodes.training.clip_encoders import encode_frames
from avatar_nodes.training.clips import Clip

_SETTLED_BLOCKS = 2
_BEGINS = 5
"""Latent frames from the change on in which an action begins."""
_BEFORE = 3
"""Latent frames before the change from which the truth is encoded."""
_VISIBLE = 0.5
SAME_PROMPT = "switch to the same prompt"
"""Name of the row for that."""
_AGAIN = " (again)"


class _SaidAgain:
    """Texts that end in `_AGAIN` are those without it, under another id: a stream switches to what
    it has already."""

    def __init__(self, prompts: Prompts) -> None:
        self._prompts = prompts

    def encode(self, text: str) -> Prompt:
        """See `Prompts`."""
        known = self._prompts.encode(text.removesuffix(_AGAIN))
        return replace(known, id=known.id + _AGAIN) if text.endswith(_AGAIN) else known


@dataclass(frozen=True)
class PromptChange:
    """One stream in which the prompt changes, beside its twin. Distances are mean |a - b|."""

    border: float
    """From the last latent frame before the change to the first one after it."""
    twin_border: float
    """The same in the twin, where nothing changes."""
    largest_step: float
    """The largest step from one latent frame to the next of the border and the four after it."""
    distances: tuple[float, ...]
    """From the twin, latent frame by latent frame (0.16 s) from the change on."""

    def visible_after(self, settled: float) -> int | None:
        """Latent frames from the change to the first that is half of `settled` away from the twin;
        None: it never is."""
        far = np.flatnonzero(np.array(self.distances) >= _VISIBLE * settled)
        return int(far[0]) if len(far) else None


def stream_latents(
    pipeline: Pipeline, prompts: Prompts, clip: Clip, lines: Sequence[str], *, seed: int
) -> Tensor:
    """Latent frames [3 * len(lines), C, h, w] of a clip's person under a prompt for each block."""
    stream = clip_stream(pipeline, prompts, clip, seed=seed, lines=lines)
    latents = [pipeline.denoise_block(sound) for sound in stream]
    return torch.cat(latents, dim=1).transpose(0, 1)


def compare_with_twin(latents: Tensor, twin: Tensor, change: int) -> PromptChange:
    """latents, twin [F, C, h, w]; change: the first latent frame under the new prompt."""
    far = (latents - twin).abs().flatten(1).mean(dim=1)[change:]
    steps, quiet = ((x[1:] - x[:-1]).abs().flatten(1).mean(dim=1) for x in (latents, twin))
    begin = steps[change - 1 : change - 1 + _BEGINS]
    return PromptChange(
        float(begin[0]), float(quiet[change - 1]), float(begin.max()), tuple(far.tolist())
    )


def switch_to_same(
    pipeline: Pipeline, prompts: Prompts, clip: Clip, lines: Sequence[str], twin: Tensor, *,
    seed: int,
) -> PromptChange:  # fmt: skip
    """Where `lines` change their prompt the stream switches to the one that holds already.

    twin: the stream without any switch [F, C, h, w].
    """
    first, kept = lines[0], next(n for n, line in enumerate(lines) if line != lines[0])
    again = [first] * kept + [first + _AGAIN] * (len(lines) - kept)
    latents = stream_latents(pipeline, _SaidAgain(prompts), clip, again, seed=seed)
    return compare_with_twin(latents, twin, 3 * kept)


def true_change(vae: TinyVAE, clip: Clip, change: int, end: int) -> PromptChange:
    """The same of the clip's own video, up to its latent frame `end`; its twin is the same person
    with the same words who does not act."""
    frames = range(FRAMES_PER_LATENT * (change - _BEFORE), FRAMES_PER_LATENT * end)
    at_rest = Clip(replace(clip.spec, actions=(), thing=None))
    latents, twin = (
        torch.from_numpy(encode_frames(vae, np.stack([of.frame(n) for n in frames]))).float()
        for of in (clip, at_rest)
    )
    return compare_with_twin(latents, twin, _BEFORE)


@torch.inference_mode()
def measure_prompt_changes(
    pipelines: Mapping[str, Pipeline], prompts: Prompts, clips: Sequence[Clip], vae: TinyVAE, *,
    blocks: int, switching: str = "",
    tell: Callable[[str], None] = print,
) -> Figures:  # fmt: skip
    """For each pipeline the means over clips whose prompt changes once in the first `blocks`.

    The first pipeline also makes the twins; `vae`, in bfloat16, encodes the truth. Latent frames
    are 0.16 s. `settled` is the distance from the twin at the end, of the first pipeline; a change
    is visible at half of it, in the truth at half of its own. switching: the pipeline that also
    switches to the prompt which holds already, which gives a row of its own (`SAME_PROMPT`).
    """
    found: dict[str, list[PromptChange]] = {name: [] for name in pipelines}
    same: list[PromptChange] = []
    ordinary: list[float] = []
    truth: list[PromptChange] = []
    for number, clip in enumerate(clips):
        lines = clip.prompts[:blocks]
        change = 3 * next(n for n, line in enumerate(lines) if line != lines[0])
        first = next(iter(pipelines.values()))
        twin = stream_latents(first, prompts, clip, lines[:1] * blocks, seed=number)
        truth.append(true_change(vae, clip, change, 3 * blocks))
        ordinary += [float((twin[n] - twin[n - 1]).abs().mean()) for n in range(6, len(twin), 3)]
        for name, pipeline in pipelines.items():
            latents = stream_latents(pipeline, prompts, clip, lines, seed=number)
            found[name].append(compare_with_twin(latents, twin, change))
        if switching:
            same.append(
                switch_to_same(pipelines[switching], prompts, clip, lines, twin, seed=number)
            )
        tell(f"{number + 1}/{len(clips)}: {lines[-1]}")
    settled = [_settled(c) for c in next(iter(found.values()))]
    figures: Figures = {
        "ordinary_border": float(np.mean(ordinary)),
        "ordinary_border_p95": float(np.quantile(ordinary, 0.95)),
        "settled": float(np.mean(settled)),
    }
    for name, changes in {**found, **({SAME_PROMPT: same} if same else {})}.items():
        figures[name] = _row(changes, settled)
    figures["truth"] = _row(truth, [_settled(c) for c in truth])
    return figures


def _settled(change: PromptChange) -> float:
    """How far it is from its twin at the end."""
    return float(np.mean(change.distances[-3 * _SETTLED_BLOCKS :]))


def _row(changes: Sequence[PromptChange], settled: Sequence[float]) -> Figures:
    after = [c.visible_after(s) for c, s in zip(changes, settled, strict=True)]
    seen = [n for n in after if n is not None]
    return {
        "border": float(np.mean([c.border for c in changes])),
        "largest_step": float(np.mean([c.largest_step for c in changes])),
        "border_same_clips_without_change": float(np.mean([c.twin_border for c in changes])),
        "visible_share": len(seen) / len(after),
        "visible_after_s": 0.16 * float(np.mean(seen)) if seen else None,
        "distances": np.mean([c.distances for c in changes], axis=0).tolist(),
    }
