"""avatar_msgs/Tensor <-> torch tensors."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
import torch

from avatar_msgs.msg import Tensor as TensorMsg
from avatar_nodes.errors.refused_error import RefusedError

DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int64": torch.int64,
    "int32": torch.int32,
    "int16": torch.int16,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "bool": torch.bool,
}
MAX_BYTES = 256 * 1024 * 1024
"""No tensor of the graph comes near: a latent block of the 14B model at 704x384 is 0.8 MB in
float32."""

_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_MAX_AXES = 8

if sys.byteorder != "little":
    raise ImportError("tensors travel little endian, this machine is not")


def tensor_to_msg(tensor: torch.Tensor | np.ndarray) -> TensorMsg:
    """A message that holds a copy of the tensor's elements, in C order.

    Raises:
        RefusedError: `dtype`: the message has no name for the element type.
    """
    if isinstance(tensor, np.ndarray):
        tensor = torch.from_numpy(np.ascontiguousarray(tensor))
    name = _NAMES.get(tensor.dtype)
    if name is None:
        raise RefusedError("dtype", f"elements of type {tensor.dtype} cannot be sent")
    msg = TensorMsg(dtype=name, shape=list(tensor.shape))
    elements = tensor.detach().cpu().contiguous().reshape(-1)
    if elements.numel():
        msg.data.frombytes(elements.view(torch.uint8).numpy().data)
    return msg


def tensor_from_msg(
    msg: TensorMsg,
    *,
    shape: Sequence[int | None] | None = None,
    dtype: torch.dtype | None = None,
    finite: bool = True,
) -> torch.Tensor:
    """The tensor of a message, on the CPU; it shares the message's memory.

    Args:
        shape: expected length of every axis, None where any will do; without it any shape is right.
        dtype: expected element type; without it any is right.
        finite: refuse floating point tensors with NaN or infinity.

    Raises:
        RefusedError: `dtype`, `shape`, `size` (larger than MAX_BYTES), `length` (data and shape
            disagree) or `not_finite`.
    """
    kind = DTYPES.get(msg.dtype)
    if kind is None:
        raise RefusedError("dtype", f"unknown element type '{msg.dtype[:32]}'")
    if dtype is not None and kind != dtype:
        raise RefusedError("dtype", f"elements of {msg.dtype}, expected {_NAMES[dtype]}")
    sizes = [int(size) for size in msg.shape[: _MAX_AXES + 1]]
    _check_shape(sizes, shape)
    wanted = math.prod(sizes) * kind.itemsize
    if wanted > MAX_BYTES or len(msg.data) > MAX_BYTES:
        raise RefusedError("size", f"{max(wanted, len(msg.data))} bytes, at most {MAX_BYTES}")
    if wanted != len(msg.data):
        raise RefusedError(
            "length", f"{len(msg.data)} bytes of data, {msg.dtype} {sizes} needs {wanted}"
        )
    if not wanted:
        return torch.empty(sizes, dtype=kind)
    tensor = torch.frombuffer(msg.data, dtype=kind).reshape(sizes)
    if finite and kind.is_floating_point and not torch.isfinite(tensor).all():
        raise RefusedError("not_finite", "NaN or infinity among the elements")
    return tensor


def _check_shape(sizes: list[int], expected: Sequence[int | None] | None) -> None:
    if len(sizes) > _MAX_AXES:
        raise RefusedError("shape", f"more than {_MAX_AXES} axes")
    if expected is None:
        return
    right = len(sizes) == len(expected) and all(
        want in (None, size) for size, want in zip(sizes, expected, strict=True)
    )
    if not right:
        wanted = ", ".join("any" if want is None else str(want) for want in expected)
        raise RefusedError("shape", f"shape {sizes}, expected [{wanted}]")
