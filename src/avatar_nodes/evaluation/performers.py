"""The systems under test: the model, the truth, and the baselines that any model must beat.

Each turns a clip of the tiny world (a person, a sound, prompts) into footage.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from avatar_nodes.block.audio_features import MelFeatures
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.clips.encoders import encode_frames
from avatar_nodes.clips.stream import Prompts, clip_stream
from avatar_nodes.clips.teacher_sampler import TeacherSampler
from avatar_nodes.decoding.decoder import StreamingDecoder, begin_with
from avatar_nodes.judging.footage import Footage
from avatar_nodes.judging.syncnet import WINDOW_FRAMES, sound_columns
from avatar_nodes.model.tiny_vae import channels_last, load_vae
from avatar_nodes.pipeline.pipeline import Pipeline
from avatar_nodes.world.clips import Clip, ClipSpec


class Performer(Protocol):
    """Makes footage of a clip's person with the clip's sound."""

    name: str
    evaluations: int | None
    """Passes of the network for a block; None for what is no network."""

    def perform(self, clip: Clip, *, seed: int = 0) -> Footage:
        """Footage of as many frames as the clip has."""
        ...


class StreamPerformer:
    """A model, streaming block by block as it does in the graph."""

    def __init__(
        self, pipeline: Pipeline, prompts: Prompts, *, name: str = "model", evaluations: int
    ) -> None:
        self.name = name
        self.evaluations: int | None = evaluations
        self.pipeline = pipeline
        self.prompts = prompts

    def perform(self, clip: Clip, *, seed: int = 0) -> Footage:
        """See `Performer.perform`."""
        stream = clip_stream(self.pipeline, self.prompts, clip, seed=seed)
        frames = [self.pipeline.render_block(sound) for sound in stream]
        return Footage.of(clip, np.concatenate(frames))


class DecodedPerformer:
    """A streaming model whose latents another decoder makes frames of.

    The stream itself is the same: nothing that it makes comes back from a picture. Not for a
    memory that needs frames.
    """

    def __init__(self, model: StreamPerformer, decoder: StreamingDecoder, *, name: str) -> None:
        self.name = name
        self.evaluations = model.evaluations
        self._model = model
        self._decoder = decoder

    def perform(self, clip: Clip, *, seed: int = 0) -> Footage:
        """See `Performer.perform`."""
        begin_with(self._decoder, clip.reference())
        pipeline = self._model.pipeline
        stream = clip_stream(pipeline, self._model.prompts, clip, seed=seed)
        frames = [self._decoder.decode(pipeline.denoise_block(sound)) for sound in stream]
        return Footage.of(clip, np.concatenate(frames))


class TeacherPerformer:
    """The many-step teacher in bfloat16: the baseline of distillation."""

    name = "teacher"

    def __init__(
        self, folder: Path, vae: Path, *, blocks: int = 3, steps: int = 40, shift: float = 3.0,
        audio_guidance: float = 1.0, text_guidance: float = 1.0, scale: int = 1,
    ) -> None:  # fmt: skip
        """See `TeacherSampler`. Raises CheckpointError."""
        self._sampler = TeacherSampler(
            folder, vae, blocks=blocks, steps=steps, shift=shift, audio_guidance=audio_guidance,
            text_guidance=text_guidance, dtype=torch.bfloat16, scale=scale,
        )  # fmt: skip
        self.evaluations: int | None = self._sampler.evaluations

    def perform(self, clip: Clip, *, seed: int = 0) -> Footage:
        """See `Performer.perform`."""
        return Footage.of(clip, self._sampler.frames(clip, seed=seed))


class TruthPerformer:
    """The world's own pictures: the score of a perfect model."""

    name = "truth"
    evaluations: int | None = None

    def perform(self, clip: Clip, *, seed: int = 0) -> Footage:
        """See `Performer.perform`."""
        return Footage.truth(clip)


class StillPerformer:
    """The reference picture, unmoved: best in identity, nothing else."""

    name = "copy of the reference"
    evaluations: int | None = None

    def perform(self, clip: Clip, *, seed: int = 0) -> Footage:
        """See `Performer.perform`."""
        return Footage.of(clip, np.repeat(clip.reference()[None], len(clip.aperture), axis=0))


class ReconstructionPerformer:
    """The truth through the video autoencoder and back: the best its decoder can show."""

    evaluations: int | None = None

    def __init__(
        self, folder: Path, decoder: StreamingDecoder, *, name: str = "autoencoder"
    ) -> None:
        """folder: the checkpoint's. Raises CheckpointError."""
        self.name = name
        self._encoder = channels_last(load_vae(folder / "vae").to(torch.bfloat16))
        self._decoder = decoder

    @torch.inference_mode()
    def perform(self, clip: Clip, *, seed: int = 0) -> Footage:
        """See `Performer.perform`; the decoder begins with the reference, as a stream does."""
        truth = Footage.truth(clip).small().frames
        begin_with(self._decoder, clip.reference())
        frames = []
        for part in np.split(truth, clip.spec.blocks):
            latent = torch.from_numpy(encode_frames(self._encoder, part)).transpose(0, 1)
            frames.append(self._decoder.decode(latent))
        return Footage.of(clip, np.concatenate(frames))


class NeighbourPerformer:
    """Lookup: at each moment the training frame whose last 0.2 s sounded most alike.

    What memory without understanding reaches: lips of the right kind, on ever other people.
    """

    name = "nearest neighbour"
    evaluations: int | None = None

    def __init__(
        self, *, clips: int = 24, blocks: int = 12, seed: int = 700_000,
        timing: BlockTiming | None = None,
    ) -> None:  # fmt: skip
        timing = timing or BlockTiming()
        self._features = MelFeatures(timing)
        self._clips = [
            Clip(ClipSpec.sample(seed + n, split="train", blocks=blocks, timing=timing))
            for n in range(clips)
        ]
        self._keys = torch.cat([self._windows(clip.sound) for clip in self._clips])
        frames = blocks * timing.frames_per_block
        self._places = [(c, n) for c in range(clips) for n in range(frames)]

    def perform(self, clip: Clip, *, seed: int = 0) -> Footage:
        """See `Performer.perform`."""
        nearest = torch.cdist(self._windows(clip.sound), self._keys).argmin(dim=1)
        found = [self._places[int(index)] for index in nearest]
        frames = np.stack([self._clips[c].frame(n) for c, n in found])
        boxes = tuple(self._clips[c].search_box for c, _ in found)
        return replace(Footage.of(clip, frames), boxes=boxes)

    def _windows(self, sound: np.ndarray) -> torch.Tensor:
        """[frames, 5 * 160]: the sound of each frame and of the four before, loudness taken out."""
        columns = sound_columns(self._features, sound.astype(np.float32))
        level = columns.max()
        columns = (columns - level).clamp_min(-1.5)
        early = columns[:1].expand(WINDOW_FRAMES - 1, -1)
        windows = torch.cat([early, columns]).unfold(0, WINDOW_FRAMES, 1)
        return windows.flatten(1)
