"""Reads a training recipe, the settings of every stage, from a YAML file."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as validated

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.training.data.shards.tiny_world import WorldData
from avatar_nodes.training.data.videos.prepare import VideoData
from avatar_nodes.training.stages.causal import CausalTraining
from avatar_nodes.training.stages.compressor import CompressorTraining
from avatar_nodes.training.stages.distill import DistillTraining
from avatar_nodes.training.stages.judges import JudgeTraining
from avatar_nodes.training.stages.sharpen import SharpenTraining
from avatar_nodes.training.stages.teacher import TeacherTraining
from avatar_nodes.training.stages.text import TextTraining
from avatar_nodes.training.stages.vae import DecoderTraining, VAETraining
from avatar_nodes.training.transformer.published import Published


class RecipeError(ValueError):
    """A recipe with an unknown key or an impossible value; the message names both."""


@validated(frozen=True, config=ConfigDict(extra="forbid"))
class Recipe:
    """All stages of a training run."""

    model: Literal["tiny", "wan_s2v_14b"] = "tiny"
    weights: Path | None = None
    """A folder as Wan2.2-S2V is published, relative to the working directory: `encode` encodes with
    its autoencoder and audio model, the transformer begins as its, reads prompts through its text
    encoder, and is what its `config.json` says, at the pictures' size of `videos`."""
    sigmas: tuple[float, ...] = (1.0, 0.9, 0.75, 0.5, 0.0)
    timing: BlockTiming = field(default_factory=BlockTiming)
    """How long frames and blocks last; with `weights` it is theirs."""
    data: WorldData = field(default_factory=WorldData)
    hearings: int = 0
    """How often `encode` hears each clip's sound through another voice, room and microphone; a
    window of training draws one of them, or the sound itself."""
    videos: VideoData = field(default_factory=VideoData)
    text: TextTraining = field(default_factory=TextTraining)
    vae: VAETraining = field(default_factory=VAETraining)
    decoder: DecoderTraining = field(default_factory=DecoderTraining)
    sharpen: SharpenTraining = field(default_factory=SharpenTraining)
    teacher: TeacherTraining = field(default_factory=TeacherTraining)
    causal: CausalTraining = field(default_factory=CausalTraining)
    compressor: CompressorTraining = field(default_factory=CompressorTraining)
    distill: DistillTraining = field(default_factory=DistillTraining)
    recall: CompressorTraining = field(default_factory=CompressorTraining)
    judges: JudgeTraining = field(default_factory=JudgeTraining)

    def __post_init__(self) -> None:
        sampled = {
            "teacher": self.teacher.sample_every,
            "causal": self.causal.sample_every,
            "distill": self.distill.sample_every,
        }
        for name, every in sampled.items():
            if self.weights is not None and every:
                raise ValueError(
                    f"{name}.sample_every must be 0 with weights: samples are of the tiny world"
                )

    @property
    def published(self) -> Published | None:
        """The published model to train on, where `weights` names one."""
        if self.weights is None:
            return None
        return Published(self.weights.expanduser(), (self.videos.width, self.videos.height))

    @property
    def architecture(self) -> DiTConfig:
        """Configuration of the transformer that is trained.

        The large one is without frame packer, which Live Avatar leaves out. Raises CheckpointError
        if `weights` is no such folder.
        """
        if self.published is not None:
            return self.published.config
        if self.model == "tiny":
            return DiTConfig.tiny(timing=self.timing)
        return DiTConfig(enable_framepack=False, timing=self.timing)


def read_recipe(path: Path | None) -> Recipe:
    """Read a recipe; what a file leaves out keeps its default, no file means all defaults.

    Raises:
        RecipeError: the file is no YAML mapping, a key is unknown or a value impossible.
    """
    if path is None:
        return Recipe()
    try:
        raw = yaml.safe_load(path.read_text()) or {}
        return TypeAdapter(Recipe).validate_python(raw)
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        found = f"{key}: {first['msg']}, got {first['input']!r}" if key else first["msg"]
        raise RecipeError(f"{path}: {found}") from error
