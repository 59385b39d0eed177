"""Maps the tensors of a safetensors file into memory: only the pages that are used become resident.

The safetensors package copies each tensor it gives to numpy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_DTYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32}
_LONGEST_HEADER = 100 << 20


class TensorFileError(ValueError):
    """The file is no safetensors file that numpy can map; one line."""


def map_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read-only arrays by name.

    Raises:
        TensorFileError: see there.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length <= _LONGEST_HEADER else b""
    try:
        described = json.loads(header)
        described.pop("__metadata__", None)
        content = np.memmap(path, np.uint8, "r", offset=8 + length)
        return {name: _array(content, entry) for name, entry in described.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TensorFileError(f"{path}: {str(error).splitlines()[0]}") from error


def _array(content: np.ndarray, entry: Mapping[str, Any]) -> np.ndarray:
    begin, end = entry["data_offsets"]
    return np.asarray(content[begin:end]).view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
