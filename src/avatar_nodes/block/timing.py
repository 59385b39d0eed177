"""Time as a property of the model: how long its frames, latents and blocks last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatar_nodes.errors.configuration_error import ConfigurationError

CONFIG_KEYS = {
    "frame_rate": "sample_fps",
    "frames_per_latent": "scale_factor_temporal",
    "latents_per_block": "num_frame_per_block",
    "sample_rate": "sampling_rate",
}
"""What a checkpoint's `config.json` calls the fields: the names that Wan, diffusers' autoencoders,
Self-Forcing and transformers' feature extractors have for them."""

MAX_FRAME_RATE = 120
MAX_FRAMES_PER_LATENT = 8
MAX_LATENTS_PER_BLOCK = 4
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8_000, 192_000

_RANGES = {
    "frame_rate": (1, MAX_FRAME_RATE),
    "frames_per_latent": (1, MAX_FRAMES_PER_LATENT),
    "latents_per_block": (1, MAX_LATENTS_PER_BLOCK),
    "sample_rate": (MIN_SAMPLE_RATE, MAX_SAMPLE_RATE),
}


class TimingError(ConfigurationError):
    """A timing that no model can have; `reason` names the key of `config.json`."""

    def __init__(self, reason: str, path: Path | None = None) -> None:
        super().__init__(reason if path is None else f"{path}: {reason}")
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class BlockTiming:
    """Frames a second, frames a latent, latents a block, and samples of sound a second [Hz].

    The defaults are those of the published and the shipped checkpoints, which do not state them: a
    block of 0.48 s. A frame lasts a whole number of samples. Raises TimingError.
    """

    frame_rate: int = 25
    frames_per_latent: int = 4
    latents_per_block: int = 3
    sample_rate: int = 16_000

    def __post_init__(self) -> None:
        for name, (lowest, highest) in _RANGES.items():
            value = getattr(self, name)
            if type(value) is not int or not lowest <= value <= highest:
                raise TimingError(
                    f"{CONFIG_KEYS[name]}: expected an integer in {lowest}..{highest},"
                    f" got {value!r}"
                )
        if self.sample_rate % self.frame_rate:
            raise TimingError(
                f"sampling_rate: expected a multiple of sample_fps ({self.frame_rate}),"
                f" got {self.sample_rate}"
            )

    @property
    def frames_per_block(self) -> int:
        return self.frames_per_latent * self.latents_per_block

    @property
    def samples_per_frame(self) -> int:
        return self.sample_rate // self.frame_rate

    @property
    def samples_per_block(self) -> int:
        return self.samples_per_frame * self.frames_per_block

    @property
    def block_s(self) -> float:
        """Seconds that a block lasts."""
        return self.frames_per_block / self.frame_rate

    @property
    def latent_s(self) -> float:
        """Seconds that a latent lasts."""
        return self.frames_per_latent / self.frame_rate

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> BlockTiming:
        """From the keys of a `config.json`; those that are missing have their defaults."""
        return cls(**{name: values[key] for name, key in CONFIG_KEYS.items() if key in values})

    @classmethod
    def read(cls, checkpoint: Path | str) -> BlockTiming:
        """Of a checkpoint folder; the defaults if it has no `config.json` (not downloaded yet).

        Raises TimingError, its message beginning with the file's path.
        """
        path = Path(checkpoint) / "config.json"
        if not path.is_file():
            return cls()
        try:
            return cls.from_config(json.loads(path.read_text(encoding="utf-8")))
        except TimingError as error:
            raise TimingError(error.reason, path) from None
        except (OSError, ValueError, TypeError) as error:
            raise TimingError(f"cannot be read as JSON: {error}", path) from None

    def to_config(self) -> dict[str, int]:
        """The keys of a `config.json`."""
        return {key: getattr(self, name) for name, key in CONFIG_KEYS.items()}
