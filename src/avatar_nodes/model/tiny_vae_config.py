"""The sizes of the tiny autoencoder, as its `config.json` states them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TinyVAEConfig:
    """Sizes of a `TinyVAE`.

    Channels are listed from the image side to the latent side for the encoder (strides 2, 4, 8, 16)
    and from the latent side to the image side for the decoder (strides 16, 8, 4, 2).
    `latents_mean` and `latents_std` (one value a channel) normalise the latents to about N(0, 1).
    `reference_channels`: of the reference picture's features, from the image side; none of them: a
    decoder that makes frames of latents alone.
    """

    latent_channels: int = 32
    encoder_channels: tuple[int, ...] = (48, 96, 128, 256)
    decoder_channels: tuple[int, ...] = (256, 128, 64, 48)
    reference_channels: tuple[int, ...] = ()
    latents_mean: tuple[float, ...] = field(default=())
    latents_std: tuple[float, ...] = field(default=())

    @property
    def spatial_stride(self) -> int:
        """Pixels per latent cell, along either side."""
        return int(2 ** len(self.encoder_channels))

    @classmethod
    def from_json(cls, path: Path) -> TinyVAEConfig:
        """Read `config.json`; unknown keys are refused.

        Raises:
            ValueError: a key is unknown.
        """
        raw: dict[str, Any] = json.loads(path.read_text())
        raw.pop("_class_name", None)
        unknown = set(raw) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"{path}: unknown keys {sorted(unknown)}")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
        return cls(**values)

    def to_json(self, path: Path) -> None:
        """Write `config.json`."""
        path.write_text(json.dumps({"_class_name": "TinyVAE", **asdict(self)}, indent=1) + "\n")
