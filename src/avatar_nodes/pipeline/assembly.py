"""Puts the parts of a stream together, as one loop in this process.

Each station builds its part from its settings (`denoising/build.py`, ...), in the loop and in its
node alike, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence

from avatar_nodes.conducting.build import build_features
from avatar_nodes.conducting.settings import FeatureSettings
from avatar_nodes.decoding.build import build_decoder
from avatar_nodes.decoding.settings import DecoderSettings
from avatar_nodes.denoising.build import build_stage
from avatar_nodes.denoising.settings import DenoiserSettings
from avatar_nodes.pipeline.pipeline import AAS_FROM_BLOCK, Pipeline
from avatar_nodes.remembering.build import build_memory
from avatar_nodes.remembering.settings import MemorySettings


def build_pipeline(
    stages: Sequence[DenoiserSettings],
    decoder: DecoderSettings,
    features: FeatureSettings,
    memory: MemorySettings | None = None,
    *,
    aas_from_block: int | None = AAS_FROM_BLOCK,
    cache_switching: bool = False,
) -> Pipeline:
    """All stages of a checkpoint, its decoder and its features, as one loop in this process.

    aas_from_block, cache_switching: see `Pipeline`. memory: the checkpoint must have a compressor.

    Raises:
        CheckpointError, AssemblyError, ScheduleError, StageError, FrameFeaturesError: what does not
            fit, in one line.
    """
    return Pipeline(
        [build_stage(stage) for stage in stages],
        build_decoder(decoder),
        build_features(features),
        past_blocks=stages[0].past_blocks,
        aas_from_block=aas_from_block,
        cache_switching=cache_switching,
        memory=None if memory is None else build_memory(memory),
    )
