"""Reading and writing the transformer's checkpoint: `config.json` and safetensors, as published."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from avatar_nodes.model.compressor import MemoryCompressor
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig, ModelConfigError
from avatar_nodes.model.float8 import FLOAT8, quantised, use_float8
from avatar_nodes.model.heavy_layers import is_heavy
from avatar_nodes.model.load_tensors import Spelling, check_tensors, load_tensors
from avatar_nodes.model.lora import LoraFile
from avatar_nodes.model.offload import LayerOffload, offloaded_layers
from avatar_nodes.model.tensor_files import CheckpointError

WEIGHTS = "diffusion_pytorch_model.safetensors"
INDEX = "diffusion_pytorch_model.safetensors.index.json"


def load_checkpoint(
    folder: Path | str, *, dtype: torch.dtype = torch.float32, lora: LoraFile | None = None
) -> WanS2V:
    """The model of a checkpoint folder, its weights in `dtype` (bfloat16 files are cast up,
    losslessly). lora: merged in.

    Raises CheckpointError naming every missing, unexpected and misshapen tensor, and if not every
    layer of `lora` was merged.
    """
    model = transformer_without_weights(Path(folder))
    if lora is not None:
        lora.check(model)
    change = None if lora is None else lora.merge
    load_tensors(model, weight_files(Path(folder)), dtype=dtype, change=change)
    if lora is not None:
        lora.require_all_merged()
    return model


def load_served(
    folder: Path | str, *, dtype: torch.dtype = torch.float32, device: str = "cpu",
    lora: LoraFile | None = None, float8: bool = False, offload_layers: int = 0, **config: Any,
) -> WanS2V:  # fmt: skip
    """The model ready to serve (see `WanS2V.serving`), each weight brought to `device` as it is
    read, and in its final dtype there: the host never holds more than one.

    lora: merged in. float8: the heavy layers' weights in 8 bits. offload_layers: that many layers
    live on the host (see `offload`); only one thread may run such a model. config: fields of the
    configuration that are not the checkpoint's to say.

    Raises CheckpointError as `load_checkpoint`, and if not every layer of `lora` was merged;
    OffloadError.
    """
    model = transformer_without_weights(Path(folder), **config)
    away = offloaded_layers(len(model.layers), offload_layers)
    on_host = tuple(f"blocks.{index}." for index in away)
    if lora is not None:
        lora.check(model)
    scales: dict[str, Tensor] = {}

    def change(name: str, tensor: Tensor) -> Tensor:
        merged = tensor if lora is None else lora.merge(name, tensor)
        if float8 and is_heavy(name) and merged.ndim == 2:
            merged, scales[name] = quantised(merged)
        return merged

    def dtype_of(name: str) -> torch.dtype:
        if name in scales:
            return FLOAT8
        return dtype if is_heavy(name) else torch.float32

    def home(name: str) -> str:
        return "cpu" if name.startswith(on_host) else device

    files = weight_files(Path(folder))
    load_tensors(model, files, dtype=dtype_of, device=device, change=change, home=home)
    if lora is not None:
        lora.require_all_merged()
    if float8:
        use_float8(model, dtype, scales)
    model.serving(dtype)
    if away:
        LayerOffload([model.layers[index] for index in away], device)
    return model


def check_transformer(folder: Path | str) -> WanS2V:
    """The model on the meta device, if the files hold its tensors; none of them is read.

    Raises CheckpointError as `load_checkpoint`.
    """
    model = transformer_without_weights(Path(folder))
    check_tensors(model, weight_files(Path(folder)))
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
    except ModelConfigError as error:
        message = str(error)
        raise CheckpointError(
            message if message.startswith(str(folder)) else f"{folder}: {message}"
        ) from error
    spelling = Spelling(within="memory_compressor.")
    load_tensors(compressor, weight_files(folder), dtype=torch.float32, spelling=spelling)
    return compressor.eval().requires_grad_(False)


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


class _Unfilled(TorchFunctionMode):
    """Weights are made, and filled with nothing. On the meta device, filling them with random
    numbers imports torch's compiler: a second, and 90 MB of RAM."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.randn:
            func = torch.empty
        elif getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        elif func in (Tensor.div, Tensor.__truediv__):
            return args[0]
        return func(*args, **(kwargs or {}))


def transformer_without_weights(folder: Path, **changes: Any) -> WanS2V:
    """The model of a folder's `config.json`, on the meta device. changes: of the configuration.

    Raises CheckpointError.
    """
    try:
        config = DiTConfig.read(folder / "config.json")
        config = replace(config, **changes) if changes else config
    except ModelConfigError as error:
        message = str(error)
        raise CheckpointError(
            message if message.startswith(str(folder)) else f"{folder}: {message}"
        ) from error
    with torch.device("meta"), _Unfilled():
        return WanS2V(config)
