"""Draws random windows from encoded clips."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from avatar_nodes.block.audio_features import CONTEXT_COLUMNS, MelFeatures
from avatar_nodes.training.data.clip_files import ClipFiles
from avatar_nodes.training.data.rewording import say_otherwise
from avatar_nodes.training.data.window_batch import WindowBatch
from avatar_nodes.world.prompts import named_thing

_STILL, _MOVED = 0.15, 0.6
"""Mean change of a normalised latent cell against the sink: none, and wholly another thing."""


def motion_cells(latents: np.ndarray, sink: np.ndarray) -> np.ndarray:
    """float16 [F, 1, h, w], 0..1: how far each cell of [F, C, h, w] is from the sink's."""
    change = np.abs(latents.astype(np.float32) - sink).mean(axis=1, keepdims=True)
    return np.clip((change - _STILL) / (_MOVED - _STILL), 0.0, 1.0).astype(np.float16)


def _by_block(track: np.ndarray, blocks: int) -> np.ndarray:
    """[F, C, h, w] of N blocks -> [N, C, F / N, h, w]."""
    return track.reshape(blocks, -1, *track.shape[1:]).swapaxes(1, 2)


def draw_window(
    rng: np.random.Generator, prompts: list[str], blocks: int, change_share: float
) -> int:
    """First block of a window; with probability `change_share` one in which the prompt changes."""
    last = len(prompts) - blocks
    changes = [i for i in range(1, len(prompts)) if prompts[i] != prompts[i - 1]]
    if changes and blocks > 1 and rng.random() < change_share:
        change = int(rng.choice(changes))
        return int(rng.integers(max(0, change - blocks + 1), min(last, change - 1) + 1))
    return int(rng.integers(last + 1))


class WindowError(ValueError):
    """A clip is shorter than the windows that are asked for."""


class EncodedClips:
    """Random windows of the encoded clips in a folder.

    reword_share: of the windows, those whose prompts are said in other words (`rewording`).
    Raises FileNotFoundError: there are none.
    """

    def __init__(self, folder: Path, split: str, *, reword_share: float = 0.0) -> None:
        paths = sorted(folder.glob(f"{split}_*[0-9].npz"))
        if not paths:
            raise FileNotFoundError(f"{folder}: no encoded {split} clips (run `avatar train data`)")
        self._reword_share = reword_share
        self.keys = [path.stem for path in paths]
        self.clips = ClipFiles(paths)
        numbers = range(len(paths))
        self.prompts = [json.loads(str(self.clips.one(n, "prompts"))) for n in numbers]

    @cached_property
    def showing(self) -> list[int]:
        """Numbers of the clips whose prompts name a thing."""
        numbered = enumerate(self.prompts)
        return [n for n, lines in numbered if any(named_thing(line) for line in lines)]

    def batch(
        self, rng: np.random.Generator, size: int, blocks: int, *, reference_share: float = 0.4,
        change_share: float = 0.5, show_share: float = 0.0,
    ) -> WindowBatch:  # fmt: skip
        """Draw `size` windows of `blocks` blocks; the gain of mel columns varies by +-8 dB.

        `change_share` of them hold a change of the prompt where the clip has one: a window whose
        past shows the action already can be continued without reading the prompt. `show_share` of
        them are from clips that show a thing, the others from all.
        Raises WindowError when a clip is shorter than that.
        """
        shortest = min(range(len(self.prompts)), key=lambda n: len(self.prompts[n]))
        if len(self.prompts[shortest]) < blocks:
            raise WindowError(
                f"clip {self.keys[shortest]} has {len(self.prompts[shortest])} blocks, windows are"
                f" to have {blocks}: make longer clips (data: blocks) or shorter windows (blocks,"
                " lead_blocks)"
            )

        def draw() -> Iterator[tuple[int, int]]:
            for _ in range(size):
                which = int(rng.integers(len(self.clips)))
                if show_share and self.showing and rng.random() < show_share:
                    which = self.showing[int(rng.integers(len(self.showing)))]
                yield which, draw_window(rng, self.prompts[which], blocks, change_share)

        return self.windows(rng, draw(), blocks, reference_share=reference_share)

    def windows(
        self, rng: np.random.Generator, chosen: Iterable[tuple[int, int]], blocks: int, *,
        reference_share: float = 1.0, gain_db: float = 8.0,
    ) -> WindowBatch:  # fmt: skip
        """The windows of `blocks` blocks that begin at the `chosen` (clip, block).

        reference_share of them have the reference picture as sink, the others a latent from before
        the window, where there is one; gain_db: the range of the sound's gain, either way; 0 is
        the clip's own sound.
        """
        latents, sinks, audio, mouth, motion = [], [], [], [], []
        indices, sink_prompts = [], []
        prompts: dict[str, int] = {}
        for which, first in chosen:
            clip, lines = self.clips[which], self._lines(which, rng)
            latents_per_block = len(clip["latents"]) // len(lines)
            sink, past = clip["reference"], first * latents_per_block
            end = past + blocks * latents_per_block
            if rng.random() >= reference_share and past:
                frame = int(rng.integers(past))
                sink = clip["latents"][frame : frame + 1]
            window = clip["latents"][past:end]
            sinks.append(sink)
            latents.append(_by_block(window, blocks))
            motion.append(_by_block(motion_cells(window, sink), blocks))
            lips = clip["mouth"][past:end, None]
            mouth.append(_by_block(lips.astype(np.float32), blocks))
            gain = float(rng.uniform(-gain_db, gain_db)) / 30.0
            hearings = len(clip.get("hearings", ())) if gain_db else 0
            hearing = int(rng.integers(hearings + 1)) if hearings else 0
            audio.append(self.audio(which, first, blocks, gain, hearing))
            indices.append(
                [prompts.setdefault(lines[first + i], len(prompts)) for i in range(blocks)]
            )
            sink_prompts.append(prompts.setdefault(lines[0], len(prompts)))
        return WindowBatch(
            latents=torch.from_numpy(np.stack(latents)).float(),
            sink=torch.from_numpy(np.stack(sinks)).float().transpose(1, 2),
            sink_prompt=torch.tensor(sink_prompts),
            audio=torch.from_numpy(np.stack(audio)),
            mouth=torch.from_numpy(np.stack(mouth)),
            motion=torch.from_numpy(np.stack(motion)).float(),
            counts=torch.ones(len(indices), blocks),
            prompts=list(prompts),
            prompt_index=torch.tensor(indices),
        )

    def _lines(self, which: int, rng: np.random.Generator) -> list[str]:
        """A clip's prompts, or the same in other words."""
        lines = self.prompts[which]
        if not self._reword_share or rng.random() >= self._reword_share:
            return lines
        said = {line: say_otherwise(rng, line) for line in dict.fromkeys(lines)}
        return [said[line] for line in lines]

    def audio(
        self, which: int, first: int, blocks: int, gain: float = 0.0, hearing: int = 0
    ) -> np.ndarray:
        """Columns float32 [blocks, layers, D, 5 + n] of a clip; `gain` in units of the columns (30
        dB), where they are of a kind that follows it. hearing: 0 is the clip's own sound, the
        others are it as heard elsewhere."""
        clip = self.clips[which]
        columns = clip["hearings"][hearing - 1] if hearing else clip["columns"]
        if columns.ndim == 3:  # one track of all blocks
            frames = (columns.shape[-1] - CONTEXT_COLUMNS) // len(self.prompts[which])
            starts = [(first + i) * frames for i in range(blocks)]
            columns = np.stack([columns[:, :, s : s + frames + CONTEXT_COLUMNS] for s in starts])
        else:
            columns = columns[first : first + blocks]
        columns = columns.astype(np.float32)
        if gain and clip.get("gain", True):
            floor = MelFeatures.floor
            louder = np.maximum(columns + gain, floor)
            columns = np.where(columns <= floor + 1e-3, columns, louder)
        return columns
