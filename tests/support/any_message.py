"""Any message, request or goal, filled as a stranger might: with the edges of what its types hold,
with what is nearly right, and with what is right.
"""

from __future__ import annotations

import importlib
import math
import re
import time
from array import array
from random import Random
from typing import Any

_INTEGER = re.compile(r"(u?)int(\d+)|byte|octet|char")
_SEQUENCE = re.compile(r"sequence<(.+?)(?:, \d+)?>")
_ARRAY = re.compile(r"(.+)\[(\d+)\]")
_TEXTS = (
    "", "a", "denoiser_1", "decoder", "presenter", "reasoner", "voice", "listener", "conductor",
    "rgb8", "float32", "turn-0-1f", f"turn-{2**64 - 1}-1f", "\x00", "🙂" * 9, "../../etc/passwd",
    "x" * 20_000, "default", "en", "A person waves.", "Hello. How are you?",
)  # fmt: skip
EPOCH = 1000
"""The number of an epoch that a stranger may have heard of."""
_FLOATS = (0.0, 0.5, 1.0, -1.0, 1e9, -1e30, math.inf, -math.inf, math.nan)
_SHAPES: tuple[list[int], ...] = (
    [],
    [1, 1, 1, 1],
    [8, 1, 4, 4],
    [8, 3, 4, 4],
    [1, 80, 17],
    [3, 128],
    [2**32 - 1] * 4,
    [7],
)


def filled(message: Any, random: Random) -> Any:
    """The message itself, with every field set."""
    kind = type(message)
    if kind.__name__ == "Tensor":
        return _tensor(message, random)
    for name, type_name in kind.get_fields_and_field_types().items():
        if random.random() < 0.9:
            setattr(message, name, _value(type_name, random))
    return message


def _value(name: str, random: Random) -> Any:
    if match := _SEQUENCE.fullmatch(name):
        count = random.choice((0, 1, 2, 5))
        if match[1] in ("uint8", "int16"):
            code, largest = ("B", 255) if match[1] == "uint8" else ("h", 2**15 - 1)
            length = random.choice((0, 1, 640, 7680, 64 * 64 * 3))
            return array(code, [random.randint(0, largest)] * length)
        return [_value(match[1], random) for _ in range(count)]
    if match := _ARRAY.fullmatch(name):
        return [_value(match[1], random) for _ in range(int(match[2]))]
    if match := _INTEGER.fullmatch(name):
        return _integer(name, match, random)
    if name == "boolean":
        return random.random() < 0.5
    if name in ("float", "double"):
        value = random.choice(_FLOATS)
        return value if name == "double" or not math.isfinite(value) else float(f"{value:.3g}")
    if name.startswith(("string", "wstring")):
        return random.choice(_TEXTS)
    package, _, kind = name.rpartition("/")
    module = importlib.import_module(f"{package}.msg")
    return filled(getattr(module, kind)(), random)


def _integer(name: str, match: re.Match[str], random: Random) -> Any:
    if name in ("byte", "octet"):
        return bytes([random.randrange(256)])
    bits = int(match[2] or 8)
    low, high = (
        (0, 2**bits - 1)
        if match[1] or name == "char"
        else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )
    now = time.time_ns() // 1_000_000
    near = (0, 1, 2, 3, 4, 12, 64, EPOCH, 16_000, 2**31, 2**40, now, now + 10_000, now + 10**11)
    value = random.choice((*near, low, high, high - 1, random.randint(low, high)))
    return min(max(value, low), high)


def _tensor(message: Any, random: Random) -> Any:
    shape = random.choice(_SHAPES)
    message.shape = shape
    message.dtype = random.choice(("float32", "float32", "float32", "int8", "complex", ""))
    size = 4 * math.prod(shape) if shape and math.prod(shape) < 2**16 else random.choice((0, 3, 64))
    filler = random.choice((b"\x00", b"\x00", b"\x3c", b"\xff"))
    message.data = array("B", filler * size)
    return message
