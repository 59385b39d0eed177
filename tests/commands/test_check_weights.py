"""`avatar check --weights`: every part of a published folder, and what is wrong with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

pytest.importorskip("diffusers", reason="needs the packages of requirements/large.txt")

from support.wan_checkpoint import LIGHT_DECODER, LORA, LORA_LAYERS, build_wan_checkpoint

from avatar_nodes.cli import main
from avatar_nodes.model.wan_folder import AUDIO_MODEL, TEXT_ENCODER, TOKENIZER, VIDEO_VAE

PARTS = ("transformer", "LoRA", "text encoder", "video decoder", "audio model", "reference")
SHARD = "diffusion_pytorch_model-00002-of-00002.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wan_checkpoint(tmp_path_factory.mktemp("wan") / "weights")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "weights"))


def _lines(folder: Path) -> dict[str, str]:
    """The line of each part, with the remedy under it."""
    result = CliRunner().invoke(
        main, ["check", "--profile", "wan_s2v_14b", "--weights", str(folder)]
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    lines = result.output.splitlines()
    found = {}
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        for part in PARTS:
            if line[8:].startswith(part):
                found[part] = line + (after.strip() if after.strip().startswith("->") else "")
    return found


def test_all_is_there(whole: Path) -> None:
    lines = _lines(whole)
    assert tuple(lines) == PARTS
    assert all(line.startswith("ok") for line in lines.values()), lines
    assert f"{LORA_LAYERS} layers of the transformer's, scale 0.5" in lines["LoRA"]
    assert "194 tensors" in lines["video decoder"]


def _without(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _other_tensor(folder: Path) -> None:
    tensors = load_file(folder / SHARD)
    tensors["blocks.7.ffn.0.bias"] = tensors.pop(next(n for n in tensors if "ffn.0.bias" in n))
    save_file(tensors, folder / SHARD)


def _other_lora(folder: Path) -> None:
    tensors = load_file(folder / LORA)
    renamed = {name.replace("self_attn", "attn1"): tensor for name, tensor in tensors.items()}
    save_file(renamed, folder / LORA)


def _object_in_vae(folder: Path) -> None:
    torch.save({"encoder.conv1.weight": folder}, folder / VIDEO_VAE)


def _cut_shard(folder: Path) -> None:
    (folder / SHARD).write_bytes((folder / SHARD).read_bytes()[:-100])


@pytest.mark.parametrize(
    ("spoil", "part", "words"),
    [
        (_without(SHARD), "transformer", SHARD),
        (_cut_shard, "transformer", "is no safetensors file"),
        (_other_tensor, "transformer", "missing: blocks."),
        (_other_lora, "LoRA", "unexpected: blocks.0.attn1.k.lora_A"),
        (_without(LORA), "LoRA", LORA),
        (_without(TEXT_ENCODER), "text encoder", TEXT_ENCODER),
        (_without(TOKENIZER), "text encoder", TOKENIZER),
        (_object_in_vae, "video decoder", "is no file of tensors"),
        (_without(f"{AUDIO_MODEL}/model.safetensors"), "audio model", "has neither"),
        (_without("reference.png"), "reference", "put a picture of the person there"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(
    folder: Path, spoil: Callable[[Path], object], part: str, words: str
) -> None:
    spoil(folder)
    lines = _lines(folder)
    assert lines[part].startswith("missing") and words in lines[part], lines[part]
    for other in set(PARTS) - {part}:
        assert lines[other].startswith("ok"), lines[other]


def _light_line(folder: Path) -> str:
    profile = folder.parent / "light.yaml"
    profile.write_text(f"extends: wan_s2v_14b\nmodel: {{light_decoder: {LIGHT_DECODER}}}\n")
    options = ["check", "--profile", str(profile), "--weights", str(folder)]
    lines = CliRunner().invoke(main, options).output.splitlines()
    return next(line for line in lines if line[8:].startswith("light decoder"))


def test_a_light_decoder_is_looked_at_where_the_profile_names_one(folder: Path) -> None:
    line = _light_line(folder)
    assert line.startswith("ok") and "64 tensors" in line
    tensors = torch.load(folder / LIGHT_DECODER, weights_only=True)
    tensors["decoder.7.conv.weight"] = tensors["decoder.7.conv.weight"][:8]
    torch.save(tensors, folder / LIGHT_DECODER)
    line = _light_line(folder)
    assert line.startswith("missing") and "decoder.7.conv.weight is [8, 16, 1, 1]" in line


def test_config_of_the_reference_is_enough(whole: Path) -> None:
    config = json.loads((whole / "config.json").read_text())
    assert "text_dim" not in config and "patch_size" not in config
