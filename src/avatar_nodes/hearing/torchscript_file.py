"""Reads the weights of a TorchScript file without torch.

The file is a zip archive: `data.pkl` is a pickle of the modules as nested objects, `data/N` holds
the numbers of a tensor. Only what such a pickle needs is let through, so that a file can run no
code.
"""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np


class TorchScriptFileError(ValueError):
    """The file is no TorchScript archive of float32 tensors; one line."""


def read_torchscript(path: Path) -> dict[str, np.ndarray]:
    """The parameters and buffers, float32, by their dotted names.

    Raises:
        TorchScriptFileError: see there.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(pickled) as file:
                module = _Reader(file, archive, pickled.removesuffix(".pkl")).load()
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise TorchScriptFileError(f"{path}: {str(error).splitlines()[0]}") from error
    return dict(_tensors(module, ""))


class _Module:
    """A module or other object of the archive: its attributes, and nothing else of it."""


class _Reader(pickle.Unpickler):
    def __init__(self, file: Any, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive = archive
        self._folder = folder

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _Module
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("torch", "FloatStorage"):
            return np.float32
        if (module, name) == ("collections", "OrderedDict") or module == "torch.jit._pickle":
            return lambda *values: values
        raise pickle.UnpicklingError(f"holds a {module}.{name}")

    def persistent_load(self, pid: tuple[str, type[np.float32], str, str, int]) -> np.ndarray:
        _, dtype, key, _, _ = pid
        return np.frombuffer(self._archive.read(f"{self._folder}/{key}"), dtype)


def _tensor(
    storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> np.ndarray:
    return np.lib.stride_tricks.as_strided(
        storage[offset:], shape, [stride * storage.itemsize for stride in strides], writeable=False
    ).copy()


def _tensors(value: Any, name: str) -> list[tuple[str, np.ndarray]]:
    if isinstance(value, np.ndarray):
        return [(name, value)]
    return [
        found
        for key, part in getattr(value, "__dict__", {}).items()
        for found in _tensors(part, f"{name}.{key}" if name else key)
    ]
