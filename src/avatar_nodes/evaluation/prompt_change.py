"""Measures a change of the prompt in a stream: how soon it is visible, and if it leaves a jump.

Measured on latents. A twin stream has the same sound and noise and keeps its prompt, so what
differs from it is the new prompt's doing. Where the prompt changes the motion changes, too, so in
truth the step there is larger than at an ordinary border between blocks. A jump is what is further
above the truth's step than steps are at the ordinary borders of the same clip. A switch to the
prompt that holds already shows what the rebuild of the caches does by itself: it should leave no
seam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.block.block import Prompt
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.clips.encoders import encode_frames
from avatar_nodes.clips.stream import Prompts, clip_stream
from avatar_nodes.evaluation.prompt_change_clips import CHANGE_BLOCK, PromptChangeClip
from avatar_nodes.model.tiny_vae import TinyVAE
from avatar_nodes.pipeline.pipeline import Pipeline
from avatar_nodes.world.clips import Clip

_SETTLED_BLOCKS = 2
"""Blocks at the end that tell how far a change goes."""
_BEGINS = 5
"""Latent frames from the change on in which the motion changes."""
_FIRST_BLOCK = 2
"""The block after the first border that counts: a stream settles in its first two blocks."""
_VISIBLE = 0.5
_AGAIN = " (again)"
SAME_PROMPT = "switch to the same prompt"
TRUTH = "truth"


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
    later_borders: tuple[float, ...]
    """The same at the borders between later blocks."""
    twin_borders: tuple[float, ...]
    """The same at the twin's borders between blocks, from the second on."""
    largest_step: float
    """The largest step from one latent frame to the next of the border and the four after it."""
    distances: tuple[float, ...]
    """From the twin, latent frame by latent frame from the change on."""
    timing: BlockTiming = field(default_factory=BlockTiming)

    @property
    def settled(self) -> float:
        """Distance from its twin at the end."""
        return float(np.mean(self.distances[-_SETTLED_BLOCKS * self.timing.latents_per_block :]))

    def visible_after(self, settled: float) -> float | None:
        """Latent frames from the last one before the change until it is half of `settled` away from
        the twin, linear between frames; None: it never is."""
        far = np.array(self.distances)
        if settled <= 0 or not (beyond := np.flatnonzero(far >= _VISIBLE * settled)).size:
            return None
        first = int(beyond[0])
        before = far[first - 1] if first else 0.0
        return first + float((_VISIBLE * settled - before) / (far[first] - before))

    def over(self, truth: PromptChange) -> tuple[float, float]:
        """Excess of steps over the truth's: at the change, and the mean at ordinary borders, where
        those after the change weigh as much as the twin's."""
        later = np.mean(self.later_borders) - np.mean(truth.later_borders)
        twin = np.mean(self.twin_borders) - np.mean(truth.twin_borders)
        return self.border - truth.border, float(later + twin) / 2


def stream_latents(
    pipeline: Pipeline, prompts: Prompts, clip: Clip, lines: Sequence[str], *, seed: int
) -> Tensor:
    """Latent frames [F, C, h, w] of a clip's person under a prompt for each block."""
    stream = clip_stream(pipeline, prompts, clip, seed=seed, lines=lines)
    latents = [pipeline.denoise_block(sound) for sound in stream]
    return torch.cat(latents, dim=1).transpose(0, 1)


def compare_with_twin(
    latents: Tensor, twin: Tensor, timing: BlockTiming, change: int | None = None
) -> PromptChange:
    """latents, twin [F, C, h, w]; change: the first latent frame under the new prompt (None: that
    of `CHANGE_BLOCK`).
    """
    block = timing.latents_per_block
    change = CHANGE_BLOCK * block if change is None else change
    far = (latents - twin).abs().flatten(1).mean(dim=1)[change:]
    steps, quiet = ((x[1:] - x[:-1]).abs().flatten(1).mean(dim=1) for x in (latents, twin))
    return PromptChange(
        border=float(steps[change - 1]),
        later_borders=tuple(steps[change + block - 1 :: block].tolist()),
        twin_borders=tuple(quiet[_FIRST_BLOCK * block - 1 :: block].tolist()),
        largest_step=float(steps[change - 1 : change - 1 + _BEGINS].max()),
        distances=tuple(far.tolist()),
        timing=timing,
    )


def switch_to_same(
    pipeline: Pipeline, prompts: Prompts, clip: Clip, line: str, twin: Tensor, *, seed: int
) -> PromptChange:
    """The stream switches to the prompt `line` that holds already.

    twin: the stream without any switch [F, C, h, w].
    """
    timing = clip.spec.timing
    after = len(twin) // timing.latents_per_block - CHANGE_BLOCK
    again = [line] * CHANGE_BLOCK + [line + _AGAIN] * after
    latents = stream_latents(pipeline, _SaidAgain(prompts), clip, again, seed=seed)
    return compare_with_twin(latents, twin, timing)


def true_change(vae: TinyVAE, changing: PromptChangeClip) -> PromptChange:
    """The same of the world's own videos of a clip and its twin."""
    latents, twin = (
        torch.from_numpy(encode_frames(vae, _video(clip))).float()
        for clip in (changing.clip, changing.twin)
    )
    return compare_with_twin(latents, twin, changing.clip.spec.timing)


def _video(clip: Clip) -> np.ndarray:
    return np.stack([clip.frame(n) for n in range(clip.performance.num_frames)])


@torch.inference_mode()
def measure_prompt_changes(
    pipelines: Mapping[str, Pipeline], prompts: Prompts, clips: Iterable[PromptChangeClip],
    vae: TinyVAE, *, tell: Callable[[str], None] = print,
) -> dict[str, dict[str, list[PromptChange]]]:  # fmt: skip
    """For each kind of change and each stream what was found, in the order of the clips.

    The first of two or more pipelines makes the twins, too; the last one also switches to the
    prompt which holds already (`SAME_PROMPT`); `vae`, in bfloat16, encodes the truth (`TRUTH`).
    """
    found: dict[str, dict[str, list[PromptChange]]] = {}
    for number, changing in enumerate(clips):
        clip, lines = changing.clip, changing.clip.prompts
        first, *_, last = pipelines.values()
        unchanged = lines[:1] * len(lines)
        twin = stream_latents(first, prompts, clip, unchanged, seed=number)
        changes = {
            name: compare_with_twin(
                stream_latents(pipeline, prompts, clip, lines, seed=number), twin, clip.spec.timing
            )
            for name, pipeline in pipelines.items()
        }
        changes[SAME_PROMPT] = switch_to_same(last, prompts, clip, lines[0], twin, seed=number)
        changes[TRUTH] = true_change(vae, changing)
        for name, change in changes.items():
            found.setdefault(changing.kind, {}).setdefault(name, []).append(change)
        tell(f"{number + 1}: {lines[0]} -> {lines[-1]}")
    return found
