"""Makes `tone.onnx`, the smallest Piper voice: a tone of 200 Hz, 256 samples a phoneme id.

It has the inputs and the output of every Piper voice and no weights, so it tests how a voice is
called, not how one sounds. Needs the `onnx` package: python make_tone.py
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import onnx
from onnx import TensorProto, helper

HERE = Path(__file__).parent
RATE = 22_050


def constant(name: str, kind: int, shape: list[int], values: list[float]) -> onnx.NodeProto:
    value = helper.make_tensor(f"{name}_value", kind, shape, values)
    return helper.make_node("Constant", [], [name], value=value)


def model() -> onnx.ModelProto:
    node, floats, ints = helper.make_node, TensorProto.FLOAT, TensorProto.INT64
    nodes = [
        constant("hop", floats, [], [256.0]),
        constant("zero", floats, [], [0.0]),
        constant("one", floats, [], [1.0]),
        constant("step", floats, [], [2 * math.pi * 200 / RATE]),
        constant("shape", ints, [3], [1, 1, -1]),
        constant("first", ints, [], [0]),
        constant("second", ints, [], [1]),
        node("Gather", ["input_lengths", "first"], ["count"], axis=0),
        node("Cast", ["count"], ["phonemes"], to=floats),
        node("Gather", ["scales", "second"], ["length_scale"], axis=0),
        node("Mul", ["phonemes", "hop"], ["natural"]),
        node("Mul", ["natural", "length_scale"], ["samples"]),
        node("Range", ["zero", "samples", "one"], ["times"]),
        node("Mul", ["times", "step"], ["phase"]),
        node("Sin", ["phase"], ["wave"]),
        node("Reshape", ["wave", "shape"], ["output"]),
    ]
    inputs = [
        helper.make_tensor_value_info("input", ints, [1, "ids"]),
        helper.make_tensor_value_info("input_lengths", ints, [1]),
        helper.make_tensor_value_info("scales", floats, [3]),
    ]
    outputs = [helper.make_tensor_value_info("output", floats, [1, 1, "time"])]
    graph = helper.make_graph(nodes, "tone", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def config() -> dict[str, object]:
    ids = {"_": [0], "^": [1], "$": [2], " ": [3]}
    ids |= {letter: [4 + place] for place, letter in enumerate("abcdefghijklmnopqrstuvwxyz.,!?")}
    return {
        "audio": {"sample_rate": RATE},
        "espeak": {"voice": "en-us"},
        "phoneme_type": "text",
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
        "num_symbols": len(ids),
        "num_speakers": 1,
        "speaker_id_map": {},
        "phoneme_id_map": ids,
    }


if __name__ == "__main__":
    onnx.save(model(), str(HERE / "tone.onnx"))
    (HERE / "tone.onnx.json").write_text(json.dumps(config(), indent=1) + "\n")
