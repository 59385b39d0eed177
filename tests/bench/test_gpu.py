"""`avatar bench gpu`: the measurement, small and on the CPU; and what it says without a GPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

pytest.importorskip("diffusers", reason="needs the packages of requirements/large.txt")

from avatar_nodes.cli import main

PARTS = {
    "stage", "sink prefill", "cache switch", "attention", "decode", "light decode", "layer copy",
}  # fmt: skip
COPIES = {
    ("input copies", "latent and sound"),
    ("input copies", "new prompt and sink"),
    ("to the device", "latent"),
    ("to the host", "latent"),
    ("to the host", "4 pictures"),
    ("to the host", "4 pictures, pageable"),
}


def _run(*options: str) -> Result:
    return CliRunner().invoke(main, ["bench", "gpu", *options])


def test_a_small_model_on_the_cpu(tmp_path: Path) -> None:
    file = tmp_path / "new" / "figures.json"
    small = ("--device", "cpu", "--scale", "small", "--repeats", "1")
    done = _run(*small, "--size", "64x64", "--size", "96x64", "--json", str(file))
    assert done.exit_code == 0, done.output
    result = json.loads(file.read_text())
    assert result["peak_tflops"] > 0 and result["peak_gb_per_s"] > 0
    assert [(size["width"], size["height"]) for size in result["sizes"]] == [(64, 64), (96, 64)]
    for size in result["sizes"]:
        assert {timing["part"] for timing in size["timings"]} == PARTS | {p for p, _ in COPIES}
        assert all(timing["ms"] > 0 and not timing["error"] for timing in size["timings"])
        to_host = ("to the host", "to the device")
        assert all((t["floor_ms"] or 0) > 0 or t["part"] in to_host for t in size["timings"])
        copies = [(t["part"], t["mode"]) for t in size["timings"] if t["part"] not in PARTS]
        assert len(copies) == len(COPIES) and set(copies) == COPIES
        stage = {t["mode"] for t in size["timings"] if t["part"] == "stage"}
        assert stage == {"eager", "recorded", "eager, e4m3", "recorded, e4m3"}
        others = PARTS - {"stage"}
        modes = {"eager", "eager, e4m3", "channels last", "bfloat16", "e4m3", "plain"}
        assert {t["mode"] for t in size["timings"] if t["part"] in others} == modes
        ms = {part: min(t["ms"] for t in size["timings"] if t["part"] == part) for part in PARTS}
        rates = size["frames_per_s"]
        assert rates["1"] == pytest.approx(12_000 / (4 * ms["stage"] + ms["decode"]))
        assert rates["5"] == pytest.approx(12_000 / max(ms["stage"], ms["decode"]))
        light = size["light_frames_per_s"]
        assert light["2"] == pytest.approx(12_000 / max(4 * ms["stage"], ms["light decode"]))
    assert "(derived)" in done.output and "96x64" in done.output


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("options", [(), ("--scale", "small"), ("--device", "cpu")])
def test_without_a_gpu_it_says_so(options: tuple[str, ...]) -> None:
    done = _run(*options)
    assert done.exit_code == 1
    assert (
        done.output.startswith("Error: no GPU that torch can use") and done.output.count("\n") == 1
    )


@pytest.mark.parametrize("size", ["64", "64x65", "0x64", "x", "64x64x64"])
def test_impossible_sizes(size: str) -> None:
    done = _run("--size", size)
    assert done.exit_code == 2 and "multiples of 16" in done.output


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")
def test_on_a_gpu(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = _run("--scale", "small", "--size", "64x64", "--repeats", "1", "--json", str(file))
    assert done.exit_code == 0, done.output
    timings = json.loads(file.read_text())["sizes"][0]["timings"]
    assert not [timing for timing in timings if timing["error"]], done.output
    modes = {"eager", "CUDA graph", "compiled", "compiled, CUDA graph"}
    modes |= {f"{mode}, e4m3" for mode in modes}
    assert {t["mode"] for t in timings if t["part"] == "stage"} == modes
