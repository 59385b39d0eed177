"""Reading and writing the transformer's checkpoint: `config.json` and safetensors, as published."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from avatar_nodes.model.compressor import MemoryCompressor
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import ConfigError, DiTConfig

WEIGHTS = "diffusion_pytorch_model.safetensors"
INDEX = "diffusion_pytorch_model.safetensors.index.json"


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used; the one-line message says which file and what is wrong."""


def load_checkpoint(folder: Path | str, *, dtype: torch.dtype = torch.float32) -> WanS2V:
    """The model of a checkpoint folder, its weights in `dtype` (bfloat16 files are cast up,
    losslessly).

    Raises CheckpointError naming every missing, unexpected and misshapen tensor.
    """
    folder = Path(folder)
    try:
        config = DiTConfig.read(folder / "config.json")
    except ConfigError as error:
        raise CheckpointError(str(error)) from error
    with torch.device("meta"):
        model = WanS2V(config)
    load_tensors(model, weight_files(folder), dtype=dtype)
    return model


def load_compressor(folder: Path | str) -> MemoryCompressor:
    """The compressor of visual memory alone, float32, out of a checkpoint folder.

    Raises CheckpointError, also if the checkpoint has none.
    """
    folder = Path(folder)
    try:
        config = DiTConfig.read(folder / "config.json")
        with torch.device("meta"):
            compressor = MemoryCompressor(config)
    except ConfigError as error:
        message = str(error)
        raise CheckpointError(
            message if message.startswith(str(folder)) else f"{folder}: {message}"
        ) from error
    load_tensors(compressor, weight_files(folder), dtype=torch.float32, within="memory_compressor.")
    return compressor.eval().requires_grad_(False)


def save_checkpoint(model: WanS2V, folder: Path | str) -> None:
    """Writes `config.json` and one safetensors file of the model's weights as they are."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    partial = folder / (WEIGHTS + ".partial")
    save_file(tensors, partial, metadata={"format": "pt"})
    partial.replace(folder / WEIGHTS)
    text = json.dumps(model.config.to_dict(), indent=1)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder: the single one, or those its index names."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / INDEX
    if not index.is_file():
        raise CheckpointError(f"{folder}: has neither {WEIGHTS} nor {INDEX}")
    try:
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{index}: is not a safetensors index: {error!r}") from error
    return [folder / str(name) for name in sorted(shards)]


def load_tensors(
    module: nn.Module, files: Iterable[Path], *, dtype: torch.dtype,
    tied: Mapping[str, str] | None = None, within: str = "",
) -> None:  # fmt: skip
    """Fills every parameter of `module` from safetensors files. Raises CheckpointError (see above).

    tied: names that files leave out because they are another tensor, and that tensor's name.
    within: `module` is what bears this prefix in the files; others are left alone.
    """
    found: dict[str, Tensor] = {}
    files = list(files)
    for path in files:
        try:
            with safe_open(path, framework="pt") as handle:
                for name in handle.keys():  # noqa: SIM118 - not a mapping
                    if not name.startswith(within):
                        continue
                    tensor = handle.get_tensor(name)
                    found[name.removeprefix(within)] = (
                        tensor.to(dtype) if tensor.is_floating_point() else tensor
                    )
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path}: is no safetensors file: {error}") from error
    for name, other in (tied or {}).items():
        if other in found:
            found.setdefault(name, found[other])
    problems = compare_tensors(dict(module.state_dict()), found)
    if problems:
        raise CheckpointError(f"{files[0].parent}: {'; '.join(problems)}")
    module.load_state_dict(found, strict=True, assign=True)


def compare_tensors(expected: dict[str, Tensor], found: dict[str, Tensor]) -> list[str]:
    """What is wrong with the `found` tensors, a phrase for each kind of fault; empty when all is
    well.
    """
    missing = sorted(expected.keys() - found.keys())
    extra = sorted(found.keys() - expected.keys())
    misshapen = [
        f"{name} is {list(found[name].shape)}, expected {list(expected[name].shape)}"
        for name in sorted(expected.keys() & found.keys())
        if found[name].shape != expected[name].shape
    ]
    kinds = (("missing", missing), ("unexpected", extra), ("wrong shape", misshapen))
    return [f"{kind}: {', '.join(names)}" for kind, names in kinds if names]
