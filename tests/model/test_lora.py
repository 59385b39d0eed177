"""Live Avatar's adapter in every spelling, merged while the weights are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from support import golden
from torch import Tensor
from torch.testing import assert_close

from avatar_nodes.model.checkpoint import load_checkpoint, load_served, transformer_without_weights
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.load_tensors import load_tensors
from avatar_nodes.model.lora import LoraFile
from avatar_nodes.model.tensor_files import CheckpointError

DIT = golden.FOLDER / "dit_s2v"
SPELLINGS = ("lora_prefixed_default", "lora_bare_default", "lora_bare_plain")


def _lora(spelling: str) -> LoraFile:
    return LoraFile(golden.FOLDER / f"lora/{spelling}.safetensors", scale=0.5)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_merged_weights(spelling: str) -> None:
    model, lora = load_checkpoint(DIT), _lora(spelling)
    assert lora.check(model) == 48
    load_tensors(
        model, [DIT / "diffusion_pytorch_model.safetensors"], dtype=torch.float32, change=lora.merge
    )
    lora.require_all_merged()
    assert lora.merged == 48
    state = model.state_dict()
    for name, expected in golden.load("lora/merged_examples").items():
        assert_close(state[name], expected, atol=1e-6, rtol=0)
    before = load_checkpoint(DIT).state_dict()
    changed = {name for name in state if not torch.equal(state[name], before[name])}
    assert len(changed) == 48 and all(name.endswith(".weight") for name in changed)


@torch.no_grad()
def test_velocity_after_merging() -> None:
    model = load_served(DIT, lora=_lora("lora_bare_plain"))
    inputs = golden.load("dit_s2v/inputs_b_motion")
    velocity = model(
        inputs["x"][None], inputs["t"], inputs["context"][None], inputs["ref_latents"],
        inputs["audio_input"], motion_latents=inputs["motion_latents"],
        cond_states=inputs["cond_states"],
    )  # fmt: skip
    expected = golden.load("lora/output_b_motion_after_merge")["velocity"]
    assert_close(velocity[0], expected, atol=5e-5, rtol=0)
    without = golden.load("dit_s2v/output_b_motion")["velocity"]
    assert (velocity[0] - without).abs().max() > 1


def test_the_published_adapter_has_448_layers() -> None:
    """Names and shapes only, as `avatar check` reads them."""
    with torch.device("meta"):
        model = WanS2V(DiTConfig())
    lora = _lora("lora_bare_plain")
    with pytest.raises(CheckpointError, match="has 48 layers, the model 448: missing: "):
        lora.check(model)


def _written(folder: Path, **changes: Tensor | None) -> Path:
    tensors = {**golden.load("lora/lora_bare_plain"), **changes}
    path = folder / "lora.safetensors"
    save_file({name: t for name, t in tensors.items() if t is not None}, path)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"blocks.0.ffn.0.lora_A.weight": None}, "one of two factors: blocks.0.ffn.0"),
        ({"blocks.0.ffn.0.alpha": torch.ones(1)}, "not of a LoRA: blocks.0.ffn.0.alpha"),
        (
            {"blocks.9.ffn.0.lora_A.weight": torch.ones(4, 8),
             "blocks.9.ffn.0.lora_B.weight": torch.ones(8, 4)},
            "has 49 layers, the model 48: unexpected: blocks.9.ffn.0.lora_A, blocks.9.ffn.0.lora_B",
        ),
        (
            {"blocks.0.ffn.0.lora_A.weight": None, "blocks.0.ffn.0.lora_B.weight": None},
            "has 47 layers, the model 48: missing: blocks.0.ffn.0.lora_A",
        ),
        (
            {"blocks.0.ffn.0.lora_B.weight": torch.ones(256, 3)},
            "wrong shape: blocks.0.ffn.0.lora_B is [256, 3], expected [256, 4]",
        ),
    ],
)  # fmt: skip
def test_an_adapter_that_does_not_fit(
    tmp_path: Path, changes: dict[str, Tensor | None], words: str
) -> None:
    path = _written(tmp_path, **changes)
    with pytest.raises(CheckpointError) as caught:
        LoraFile(path, scale=0.5).check(transformer_without_weights(DIT))
    message = str(caught.value)
    assert words in message and str(path) in message and "\n" not in message


def test_no_adapter(tmp_path: Path) -> None:
    save_file({}, tmp_path / "empty.safetensors")
    for name in ("absent.safetensors", "empty.safetensors"):
        with pytest.raises(CheckpointError, match=name):
            LoraFile(tmp_path / name, scale=0.5)
