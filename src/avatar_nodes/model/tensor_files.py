"""Files of tensors, read one tensor at a time: safetensors, and torch's own (`.pth`, `.bin`).

A file is opened anew as reading goes on, so that no more of it stays in memory than the tensor in
hand (torch's own: `_CHUNK_BYTES`), however large it is.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from avatar_nodes.errors.configuration_error import ConfigurationError

_CHUNK_BYTES = 128 << 20


class CheckpointError(ConfigurationError):
    """A checkpoint that cannot be used; the one-line message says which file and what is wrong."""


Shape = tuple[int, ...]


def tensor_shapes(path: Path) -> dict[str, Shape]:
    """Names and shapes of a file's tensors, none of which is read. Raises CheckpointError."""
    if path.suffix != ".safetensors":
        return {name: tuple(tensor.shape) for name, tensor in _torch_file(path).items()}
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            return {name: tuple(file.get_slice(name).get_shape()) for name in names}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: is no safetensors file: {error}") from error


def read_tensors(path: Path, names: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
    """Those tensors of a file as they are stored, on the CPU; each is to be let go before the next.

    Raises CheckpointError.
    """
    if path.suffix == ".safetensors":
        for name in names:
            try:
                with safe_open(path, framework="pt") as file:
                    tensor = file.get_tensor(name)
            except (OSError, SafetensorError) as error:
                raise CheckpointError(f"{path}: is no safetensors file: {error}") from error
            yield name, tensor
        return
    held, passed = _torch_file(path), 0
    for name in names:
        yield name, held[name]
        passed += held[name].nbytes
        if passed > _CHUNK_BYTES:  # lets the pages go that were read
            held, passed = _torch_file(path), 0


def _torch_file(path: Path) -> dict[str, Tensor]:
    """A file of torch's own, mapped rather than read; nothing but tensors is unpickled."""
    try:
        mapped = zipfile.is_zipfile(path)  # those of torch before 1.6 cannot be
        found: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # of a broken file the unpickler raises whatever it trips over
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise CheckpointError(f"{path}: is no file of tensors: {reason}") from error
    if not isinstance(found, dict) or not all(isinstance(t, Tensor) for t in found.values()):
        raise CheckpointError(f"{path}: is no file of named tensors")
    return {str(name): tensor for name, tensor in found.items()}
