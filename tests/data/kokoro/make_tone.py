"""Makes `model.onnx`, the smallest Kokoro: a tone of 200 Hz, 600 samples a phoneme at 24 kHz.

It is as loud as the first number of the style says.

It has Kokoro's inputs and output and no weights, so it tests how the model is called, not how it
sounds. Needs the `onnx` package: python make_tone.py
"""

from __future__ import annotations

import math
from pathlib import Path

import onnx
from onnx import TensorProto, helper

HERE = Path(__file__).parent
RATE = 24_000


def constant(name: str, kind: int, shape: list[int], values: list[float]) -> onnx.NodeProto:
    value = helper.make_tensor(f"{name}_value", kind, shape, values)
    return helper.make_node("Constant", [], [name], value=value)


def model() -> onnx.ModelProto:
    node, floats, ints = helper.make_node, TensorProto.FLOAT, TensorProto.INT64
    nodes = [
        constant("hop", floats, [], [600.0]),
        constant("zero", floats, [], [0.0]),
        constant("one", floats, [], [1.0]),
        constant("step", floats, [], [2 * math.pi * 200 / RATE]),
        constant("flat", ints, [1], [-1]),
        constant("first", ints, [], [0]),
        node("Size", ["tokens"], ["count"]),
        node("Cast", ["count"], ["phonemes"], to=floats),
        node("Mul", ["phonemes", "hop"], ["natural"]),
        node("Gather", ["speed", "first"], ["rate"], axis=0),
        node("Div", ["natural", "rate"], ["samples"]),
        node("Range", ["zero", "samples", "one"], ["times"]),
        node("Mul", ["times", "step"], ["phase"]),
        node("Sin", ["phase"], ["wave"]),
        node("Reshape", ["style", "flat"], ["numbers"]),
        node("Gather", ["numbers", "first"], ["loudness"], axis=0),
        node("Mul", ["wave", "loudness"], ["audio"]),
    ]
    inputs = [
        helper.make_tensor_value_info("tokens", ints, [1, "phonemes"]),
        helper.make_tensor_value_info("style", floats, [1, 256]),
        helper.make_tensor_value_info("speed", floats, [1]),
    ]
    outputs = [helper.make_tensor_value_info("audio", floats, ["time"])]
    graph = helper.make_graph(nodes, "tone", inputs, outputs)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnx.checker.check_model(made)
    return made


if __name__ == "__main__":
    onnx.save(model(), str(HERE / "model.onnx"))
