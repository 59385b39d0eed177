"""Configuration of the diffusion transformer, as a checkpoint's `config.json` spells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from avatar_nodes.block.audio_features import CONTEXT_COLUMNS
from avatar_nodes.block.timing import CONFIG_KEYS, BlockTiming, TimingError
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.model.audio_encoder import COLUMNS_PER_LATENT
from avatar_nodes.model.frame_packer import LATENTS as MOTION_LATENTS
from avatar_nodes.model.prediction import PREDICTIONS, Prediction


class ModelConfigError(ConfigurationError):
    """A model configuration that this implementation cannot build; the message names the field."""


_POSITIVE = (
    "dim", "num_heads", "num_layers", "ffn_dim", "freq_dim", "text_dim", "text_len", "in_dim",
    "out_dim", "cond_dim", "audio_dim", "num_audio_token", "num_audio_layers", "sink_position",
)  # fmt: skip
_ONLY: dict[str, Any] = {
    "window_size": (-1, -1),
    "qk_norm": True,
    "cross_attn_norm": True,
    "enable_adain": True,
    "adain_mode": "attn_norm",
    "zero_timestep": True,
    "framepack_drop_mode": "padd",
    "enable_motioner": False,
    "enable_tsm": False,
    "trainable_token_pos_emb": False,
    "model_type": "s2v",
}
"""The only values supported."""
_TINY: dict[str, Any] = {
    "dim": 256,
    "num_heads": 4,
    "num_layers": 6,
    "ffn_dim": 1024,
    "freq_dim": 256,
    "text_dim": 128,
    "text_len": 64,
    "in_dim": 32,
    "out_dim": 32,
    "cond_dim": 16,
    "audio_dim": 160,
    "audio_inject_layers": (0, 1, 2, 3, 4),
    "enable_framepack": False,
    "num_audio_layers": 1,
    "past_blocks": 2,
    "sink_position": 30,
    "latent_shape": (32, 16, 16),
    "prediction": "sink_difference",
}


_MEMORY_CELLS = (2, 4)


@dataclass(frozen=True, kw_only=True)
class MemoryConfig:
    """The compressor of visual memory, and what the model was trained to remember.

    short, long: latent frames in short and long memory. cells: latent cells, down and across, that
    a token stands for, 4 (the paper's) or 2. hidden: channels within the compressor; layers, heads:
    its attention. lag: blocks by which memory was behind.
    """

    short: int = 12
    long: int = 12
    cells: int = 4
    hidden: int = 128
    layers: int = 1
    heads: int = 4
    lag: int = 4

    def __post_init__(self) -> None:
        for key in fields(self):
            value = getattr(self, key.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ModelConfigError(f"memory.{key.name}: expected an integer > 0, got {value!r}")
        if self.cells not in _MEMORY_CELLS:
            raise ModelConfigError(f"memory.cells: expected 2 or 4, got {self.cells}")
        if self.hidden % (2 * self.heads):
            raise ModelConfigError(
                f"memory.hidden {self.hidden} does not split into {self.heads} even heads"
            )


@dataclass(frozen=True, kw_only=True)
class DiTConfig:
    """Fields of Wan2.2-S2V's `config.json` (defaults: the 14B model), then seven of our own.

    Our own fields: `num_audio_layers` hidden states of the audio model that a feature column
    carries; `past_blocks` L and `sink_position` (latent frames) of the causal window;
    `latent_shape` (C, H, W) of one latent frame that the checkpoint was trained at; `prediction`,
    what the head's output means (see `prediction.py`); `memory`, which a model without visual
    memory leaves out; `timing`, whose parts are keys of their own in the file (`CONFIG_KEYS`).
    """

    dim: int = 5120
    num_heads: int = 40
    num_layers: int = 40
    ffn_dim: int = 13824
    freq_dim: int = 256
    text_dim: int = 4096
    text_len: int = 512
    in_dim: int = 16
    out_dim: int = 16
    cond_dim: int = 16
    audio_dim: int = 1024
    num_audio_token: int = 4
    audio_inject_layers: tuple[int, ...] = (0, 4, 8, 12, 16, 20, 24, 27, 30, 33, 36, 39)
    patch_size: tuple[int, int, int] = (1, 2, 2)
    window_size: tuple[int, int] = (-1, -1)
    eps: float = 1e-6
    qk_norm: bool = True
    cross_attn_norm: bool = True
    enable_adain: bool = True
    adain_mode: str = "attn_norm"
    zero_init: bool = True
    zero_timestep: bool = True
    enable_framepack: bool = True
    framepack_drop_mode: str = "padd"
    add_last_motion: bool = True
    enable_motioner: bool = False
    enable_tsm: bool = False
    trainable_token_pos_emb: bool = False
    motion_token_num: int = 1024
    model_type: str = "s2v"
    num_audio_layers: int = 25
    past_blocks: int = 3
    sink_position: int = 30
    latent_shape: tuple[int, int, int] = (16, 48, 88)
    prediction: Prediction = "velocity"
    memory: MemoryConfig | None = None
    timing: BlockTiming = field(default_factory=BlockTiming)

    def __post_init__(self) -> None:
        for name in ("audio_inject_layers", "patch_size", "window_size", "latent_shape"):
            try:
                object.__setattr__(self, name, tuple(int(n) for n in getattr(self, name)))
            except (TypeError, ValueError):
                found = getattr(self, name)
                raise ModelConfigError(f"{name}: expected integers, got {found!r}") from None
        if isinstance(self.memory, Mapping):
            object.__setattr__(self, "memory", _memory_from(self.memory))
        self._check_numbers()
        self._check_supported()

    @property
    def head_dim(self) -> int:
        return self.dim // self.num_heads

    @property
    def block_shape(self) -> tuple[int, int, int, int]:
        """[C, latents, H, W] of a block's latents."""
        channels, height, width = self.latent_shape
        return channels, self.timing.latents_per_block, height, width

    @property
    def patch_grid(self) -> tuple[int, int]:
        """Rows and columns of tokens of a latent frame."""
        _, rows, columns = self.latent_shape
        return rows // self.patch_size[1], columns // self.patch_size[2]

    def sink_shape(self, *, motion: bool) -> tuple[int, int, int, int]:
        """[C, frames, H, W] of a sink's latent; motion: with its motion context."""
        channels, height, width = self.latent_shape
        return channels, 1 + (MOTION_LATENTS if motion else 0), height, width

    @property
    def audio_shape(self) -> tuple[int, int, int]:
        """[layers, D, columns] of a block's audio features: context, then one column a frame."""
        columns = CONTEXT_COLUMNS + self.timing.frames_per_block
        return self.num_audio_layers, self.audio_dim, columns

    @property
    def memory_grid(self) -> tuple[int, int]:
        """Rows and columns of memory tokens of one latent frame.

        Raises ModelConfigError for a model without visual memory.
        """
        if self.memory is None:
            raise ModelConfigError("memory: the model has none")
        _, rows, columns = self.latent_shape
        return rows // self.memory.cells, columns // self.memory.cells

    @property
    def memory_shape(self) -> tuple[int, int] | None:
        """[tokens, dim] of a remembered latent frame; None: a model without memory."""
        if self.memory is None:
            return None
        rows, columns = self.memory_grid
        return rows * columns, self.dim

    @classmethod
    def tiny(cls, **changes: Any) -> DiTConfig:
        """The shipped profile: 9.4 M parameters, 64 tokens a latent frame at 256x256."""
        return cls(**{**_TINY, **changes})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DiTConfig:
        """Raises ModelConfigError: a field is not known; keys that begin with `_` are notes."""
        given = {key: value for key, value in values.items() if not key.startswith("_")}
        try:
            timing = BlockTiming.from_config(given)
        except TimingError as error:
            raise ModelConfigError(str(error)) from None
        given = {key: value for key, value in given.items() if key not in CONFIG_KEYS.values()}
        known = {field.name for field in fields(cls)} - {"timing"}
        unknown = sorted(given.keys() - known)
        if unknown:
            raise ModelConfigError(f"unknown field(s): {', '.join(unknown)}")
        return cls(**given, timing=timing)

    @classmethod
    def read(cls, path: Path) -> DiTConfig:
        """Reads a `config.json`. Raises ModelConfigError, its message beginning with the path."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ModelConfigError(f"{path}: cannot be read as JSON: {error}") from error
        if not isinstance(values, dict):
            raise ModelConfigError(f"{path}: expected an object, got {type(values).__name__}")
        try:
            return cls.from_dict(values)
        except ModelConfigError as error:
            raise ModelConfigError(f"{path}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        if self.memory is None:
            del values["memory"]
        del values["timing"]
        return {"_class_name": "WanModel_S2V", **values, **self.timing.to_config()}

    def _check_numbers(self) -> None:
        for name in _POSITIVE:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ModelConfigError(f"{name}: expected a positive integer, got {value!r}")
        if not isinstance(self.past_blocks, int) or self.past_blocks < 0:
            raise ModelConfigError(
                f"past_blocks: expected an integer >= 0, got {self.past_blocks!r}"
            )
        if self.dim % self.num_heads or self.head_dim % 2 or self.head_dim < 6:
            raise ModelConfigError(
                f"dim {self.dim} does not split into {self.num_heads} even heads"
            )
        if self.dim % 4 or self.freq_dim % 2:
            raise ModelConfigError("dim must divide by 4 and freq_dim by 2")
        if any(not 0 <= layer < self.num_layers for layer in self.audio_inject_layers):
            raise ModelConfigError(f"audio_inject_layers: outside 0..{self.num_layers - 1}")
        if len(self.patch_size) != 3 or len(self.latent_shape) != 3:
            raise ModelConfigError("patch_size and latent_shape need three numbers each")
        if any(n % p for n, p in zip(self.latent_shape[1:], self.patch_size[1:], strict=True)):
            raise ModelConfigError(
                f"latent_shape {self.latent_shape} is not a multiple of the patch"
            )

    def _check_supported(self) -> None:
        if self.prediction not in PREDICTIONS:
            choices = " or ".join(PREDICTIONS)
            raise ModelConfigError(f"prediction: expected {choices}, got {self.prediction!r}")
        for name, wanted in _ONLY.items():
            if getattr(self, name) != wanted:
                found = getattr(self, name)
                raise ModelConfigError(f"{name}: only {wanted!r} is supported, got {found!r}")
        if self.timing.frames_per_latent != COLUMNS_PER_LATENT:
            raise ModelConfigError(
                f"{CONFIG_KEYS['frames_per_latent']}: the audio encoder makes a latent frame of"
                f" {COLUMNS_PER_LATENT}, got {self.timing.frames_per_latent}"
            )
        if self.patch_size[0] != 1:
            raise ModelConfigError(f"patch_size: one latent frame a patch, got {self.patch_size}")
        if self.memory is not None and (
            any(n % self.memory.cells for n in self.latent_shape[1:])
            or self.patch_size[1] != self.patch_size[2]
            or self.memory.cells % self.patch_size[1]
        ):
            cells = self.memory.cells
            raise ModelConfigError(
                f"memory: needs rows and columns in multiples of {cells} and patches that"
                f" divide {cells}, got {self.latent_shape} and {self.patch_size}"
            )


def _memory_from(values: Mapping[str, Any]) -> MemoryConfig:
    unknown = sorted(values.keys() - {field.name for field in fields(MemoryConfig)})
    if unknown:
        raise ModelConfigError(
            f"unknown field(s): {', '.join(f'memory.{name}' for name in unknown)}"
        )
    return MemoryConfig(**values)
