"""Tensors survive the wire bit for bit; messages that contradict themselves are refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("rclpy", reason="no ROS here")

from rclpy.serialization import deserialize_message, serialize_message

from avatar_msgs.msg import Tensor
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.wire import tensor as wire
from avatar_nodes.wire.tensor import tensor_from_msg, tensor_to_msg


@pytest.mark.parametrize("name", wire.DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4), (1, 1, 1, 1, 1, 2)])
def test_every_type_and_shape_survives(name: str, shape: tuple[int, ...]) -> None:
    tensor = (torch.randn(shape) * 50).to(wire.DTYPES[name])
    msg = deserialize_message(serialize_message(tensor_to_msg(tensor)), Tensor)
    back = tensor_from_msg(msg)
    assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
    assert torch.equal(back, tensor)


def test_strided_and_numpy_tensors_are_sent_in_c_order() -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4).transpose(2, 0, 1)
    assert np.array_equal(tensor_from_msg(tensor_to_msg(array)).numpy(), array)
    turned = torch.arange(6.0).reshape(2, 3).T
    assert torch.equal(tensor_from_msg(tensor_to_msg(turned)), turned)


def test_reading_copies_nothing() -> None:
    msg = tensor_to_msg(torch.zeros(4))
    tensor_from_msg(msg)[2] = 1.0
    assert tensor_from_msg(msg).tolist() == [0.0, 0.0, 1.0, 0.0]


def message(dtype: str = "float32", shape: tuple[int, ...] = (2, 3), size: int = 24) -> Tensor:
    return Tensor(dtype=dtype, shape=list(shape), data=bytes(size))


@pytest.mark.parametrize(
    ("msg", "reason"),
    [
        (message(dtype="complex64"), "dtype"),
        (message(dtype=""), "dtype"),
        (message(dtype="int64", size=48), "dtype"),
        (message(size=23), "length"),
        (message(size=0), "length"),
        (message(shape=(2, 4), size=32), "shape"),
        (message(shape=(6,)), "shape"),
        (message(shape=(1,) * 9, size=4), "shape"),
        (message(shape=()), "shape"),
    ],
)
def test_contradictions_are_refused_with_their_reason(msg: Tensor, reason: str) -> None:
    with pytest.raises(RefusedError) as error:
        tensor_from_msg(msg, shape=(2, 3), dtype=torch.float32)
    assert error.value.reason == reason
    assert "\n" not in str(error.value)


def test_a_shape_that_would_need_too_much_memory_is_refused() -> None:
    with pytest.raises(RefusedError) as error:
        tensor_from_msg(message(shape=(2**31, 2**31, 2**31)))
    assert error.value.reason == "size"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_numbers_that_are_none_are_refused_unless_allowed(value: float, dtype: torch.dtype) -> None:
    msg = tensor_to_msg(torch.tensor([1.0, value]).to(dtype))
    with pytest.raises(RefusedError) as error:
        tensor_from_msg(msg)
    assert error.value.reason == "not_finite"
    assert tensor_from_msg(msg, finite=False).shape == (2,)


def test_a_type_without_a_name_is_not_sent() -> None:
    with pytest.raises(RefusedError, match="complex64"):
        tensor_to_msg(torch.zeros(2, dtype=torch.complex64))
