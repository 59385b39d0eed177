"""Builds the conductor's models: audio features, and the encoder of prompts.

transformers, whose import takes seconds, is imported only where it is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from avatar_nodes.block.block import Prompt
from avatar_nodes.block.timing import TimingError
from avatar_nodes.conducting.prompt_book import prompt_id
from avatar_nodes.conducting.settings import FeatureSettings, PromptSettings
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.model.device import DTYPES, AssemblyError, checked_device
from avatar_nodes.model.read_config import read_config
from avatar_nodes.model.wan_folder import AUDIO_MODEL, is_published_wan

if TYPE_CHECKING:
    from avatar_nodes.block.audio_features import AudioFeatures
    from avatar_nodes.model.text import TextEncoder
    from avatar_nodes.model.wan_text import WanTextEncoder


def build_features(settings: FeatureSettings) -> AudioFeatures:
    """The audio features that a checkpoint was trained on, always computed in float32.

    Raises:
        CheckpointError, AssemblyError: what does not fit, in one line.
    """
    from avatar_nodes.block.audio_features import MelFeatures

    config = read_config(settings.checkpoint)
    features: AudioFeatures
    try:
        if is_published_wan(settings.checkpoint):
            from avatar_nodes.model.wav2vec import load_wav2vec
            from avatar_nodes.model.wav2vec_features import Wav2VecFeatures

            folder = Path(settings.checkpoint) / AUDIO_MODEL
            model = load_wav2vec(folder, device=checked_device(settings.audio_device))
            features = Wav2VecFeatures(
                model, config.timing, context_s=settings.audio_context_s,
                lookahead_s=settings.audio_lookahead_s, loudness=settings.audio_loudness,
                context_columns=settings.audio_context_columns,
            )  # fmt: skip
            made = (model.layers, model.dim)
        else:
            features = MelFeatures(config.timing)
            made = (1, features.dim)
    except TimingError as error:
        raise AssemblyError(f"{settings.checkpoint}: {error}") from None
    if (config.num_audio_layers, config.audio_dim) != made:
        raise AssemblyError(
            f"{settings.checkpoint}: needs audio features of"
            f" {config.num_audio_layers} x {config.audio_dim},"
            f" there are those of {made[0]} x {made[1]}"
        )
    return features


class PromptEncoder:
    """Turns a text into the prompt that travels: an id, and the states that stages attend to."""

    def __init__(self, settings: PromptSettings) -> None:
        """A small encoder is always float32, on the CPU. Raises CheckpointError, AssemblyError."""
        checkpoint = settings.checkpoint
        config = read_config(checkpoint)
        self._encoder: TextEncoder | WanTextEncoder
        if is_published_wan(checkpoint):
            from avatar_nodes.model.wan_text import WanTextEncoder

            self._encoder = WanTextEncoder.load(
                checkpoint,
                text_len=config.text_len,
                dtype=DTYPES[settings.dtype],
                device=checked_device(settings.text_device),
            )
        else:
            from avatar_nodes.model.text import TextEncoder  # transformers: spared to other stages

            folder = Path(checkpoint) / "text_encoder"
            self._encoder = TextEncoder.load(folder, text_len=config.text_len)
        if self._encoder.text_dim != config.text_dim:
            raise AssemblyError(
                f"{checkpoint}: needs text states of {config.text_dim}, there are those of"
                f" {self._encoder.text_dim}"
            )

    def check(self, text: str) -> None:
        """Raises RefusedError: `prompt`, longer than the model takes, which would cut it."""
        if excess := self._encoder.excess(text):
            raise RefusedError("prompt", excess)

    def encode(self, text: str) -> Prompt:
        """The same text always gives the same id and states."""
        return Prompt(
            id=prompt_id(text), text=text, states=self._encoder.encode(text).float().cpu()
        )
