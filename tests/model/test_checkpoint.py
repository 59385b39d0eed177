"""Checkpoints: what is written is read; what is wrong is named in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from support import golden
from support.tiny_checkpoint import save_checkpoint
from torch import Tensor

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.model.checkpoint import (
    INDEX,
    WEIGHTS,
    CheckpointError,
    load_checkpoint,
)
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig, ModelConfigError

Tensors = dict[str, Tensor]


@pytest.fixture
def folder(small_model: WanS2V, tmp_path: Path) -> Path:
    save_checkpoint(small_model, tmp_path)
    return tmp_path


def _rewrite(folder: Path, change: Callable[[Tensors], object]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)


def _failure(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder)
    message = str(caught.value)
    assert "\n" not in message and str(folder) in message
    return message


def test_round_trip(small_model: WanS2V, folder: Path) -> None:
    loaded = load_checkpoint(folder)
    assert loaded.config == small_model.config
    assert loaded.state_dict().keys() == small_model.state_dict().keys()
    for name, tensor in small_model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert all(p.requires_grad and not p.is_meta for p in loaded.parameters())


def test_bfloat16_is_cast_up() -> None:
    stored = golden.load("dit_s2v/diffusion_pytorch_model")
    model = load_checkpoint(golden.FOLDER / "dit_s2v")
    weight = model.state_dict()["head.head.weight"]
    assert stored["head.head.weight"].dtype == torch.bfloat16
    assert torch.equal(weight, stored["head.head.weight"].float())
    halves = load_checkpoint(golden.FOLDER / "dit_s2v", dtype=torch.bfloat16)
    assert {p.dtype for p in halves.parameters()} == {torch.bfloat16}


def test_every_faulty_tensor_is_named(folder: Path) -> None:
    def spoil(tensors: Tensors) -> None:
        del tensors["head.head.bias"], tensors["blocks.1.norm3.weight"]
        tensors["patch_embedding.bias"] = torch.zeros(3)
        tensors["something.else"] = torch.zeros(1)

    _rewrite(folder, spoil)
    message = _failure(folder)
    assert "missing: blocks.1.norm3.weight, head.head.bias" in message
    assert "unexpected: something.else" in message
    assert "wrong shape: patch_embedding.bias is [3], expected [64]" in message


def test_no_safetensors_file(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"not tensors at all")
    assert WEIGHTS in _failure(folder)


def test_no_weights_at_all(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    assert INDEX in _failure(folder)


def test_shards(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    names = sorted(tensors)
    shards = {"one.safetensors": names[::2], "two.safetensors": names[1::2]}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    weight_map = {name: file for file, part in shards.items() for name in part}
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    (folder / WEIGHTS).unlink()
    assert load_checkpoint(folder).state_dict().keys() == tensors.keys()
    (folder / "two.safetensors").unlink()
    assert "two.safetensors" in _failure(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dimm": 3}, "unknown field(s): dimm"),
        ({"dim": 65}, "dim 65 does not split into 4"),
        ({"num_layers": 0}, "num_layers: expected a positive integer"),
        ({"audio_inject_layers": [0, 9]}, "audio_inject_layers"),
        ({"enable_tsm": True}, "enable_tsm: only False is supported"),
        ({"latent_shape": "big"}, "latent_shape: expected integers"),
        ({"latent_shape": [4, 7, 8]}, "not a multiple of the patch"),
        ({"sample_fps": 0}, "sample_fps: expected an integer in 1..120, got 0"),
        ({"sample_fps": 24}, "sampling_rate: expected a multiple of sample_fps (24), got 16000"),
        ({"scale_factor_temporal": 8}, "makes a latent frame of 4, got 8"),
        ({"timing": {}}, "unknown field(s): timing"),
    ],
)
def test_bad_configuration(folder: Path, change: dict[str, object], words: str) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    message = _failure(folder)
    assert words in message and "config.json" in message


def test_config_that_is_no_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    assert "cannot be read as JSON" in _failure(folder)


def test_fields_that_the_reference_leaves_out_have_defaults() -> None:
    config = DiTConfig.read(golden.FOLDER / "dit_s2v/config_as_saved_by_reference.json")
    assert config.patch_size == (1, 2, 2) and config.text_dim == 4096 and config.qk_norm
    assert config.window_size == (-1, -1) and config.cross_attn_norm


def test_defaults_are_the_public_model() -> None:
    with torch.device("meta"):
        model = WanS2V(DiTConfig())
    assert len(model.state_dict()) == 1260
    assert 16.2e9 < sum(p.numel() for p in model.parameters()) < 16.4e9


def test_config_round_trip(tmp_path: Path) -> None:
    config = DiTConfig.tiny(past_blocks=4)
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    assert DiTConfig.read(tmp_path / "config.json") == config
    slow = DiTConfig.tiny(timing=BlockTiming(frame_rate=16, latents_per_block=2))
    assert slow.audio_shape == (1, 160, 13) and slow.block_shape == (32, 2, 16, 16)
    (tmp_path / "config.json").write_text(json.dumps(slow.to_dict()))
    assert DiTConfig.read(tmp_path / "config.json") == slow
    with pytest.raises(ModelConfigError, match="past_blocks"):
        DiTConfig.tiny(past_blocks=-1)
