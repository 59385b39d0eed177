"""A checkpoint folder as Wan2.2-S2V is published, all files of it, but small: random weights.

Names, key spellings and number formats are the published ones (docs/weights.md); what the public
configuration leaves out is left out here too. Weights that begin as zero are made random.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import UMT5Config, UMT5EncoderModel

from avatar_nodes.block.timing import CONFIG_KEYS
from avatar_nodes.model import wan_text, wan_vae
from avatar_nodes.model.checkpoint import INDEX
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.heavy_layers import HEAVY_LAYERS
from avatar_nodes.model.wan_folder import AUDIO_MODEL, TEXT_ENCODER, TOKENIZER, VIDEO_VAE
from support import golden
from support.wan_audio import write_wav2vec
from support.wan_tokenizer import write_tokenizer

LORA = "liveavatar.safetensors"
LIGHT_DECODER = "taew2_1.pth"
LAYERS = 4
LORA_LAYERS = 10 * LAYERS + 4
SHARDS = ("00001-of-00002", "00002-of-00002")
AUDIO_LAYERS = 24
# Fields that the reference does not write, and those that are ours.
_NOT_PUBLISHED = (
    "patch_size", "cross_attn_norm", "qk_norm", "text_dim", "window_size", "num_audio_layers",
    "past_blocks", "sink_position", "latent_shape", "prediction", *CONFIG_KEYS.values(),
)  # fmt: skip


def build_wan_checkpoint(folder: Path) -> Path:
    """Write the checkpoint into `folder` and return it; the same weights every time."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    config = DiTConfig(
        dim=64, num_heads=2, num_layers=LAYERS, ffn_dim=128, freq_dim=32, text_len=32, audio_dim=32,
        audio_inject_layers=(0,),
    )  # fmt: skip
    model = _woken(WanS2V(config))
    _save_transformer(model, folder)
    save_file(_lora(model), folder / LORA)
    text = _woken(
        UMT5EncoderModel(
            UMT5Config(  # type: ignore[call-arg]
                vocab_size=120, d_model=config.text_dim, d_kv=16, d_ff=32, num_layers=2,
                num_heads=2, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
            )
        )
    )  # fmt: skip
    _save_pth(text, wan_text._SPELLING.published, folder / TEXT_ENCODER, torch.bfloat16)
    write_tokenizer(folder / TOKENIZER)
    network: Any = AutoencoderKLWan(base_dim=8)
    vae = _woken(network)
    _save_pth(vae, wan_vae._SPELLING.published, folder / VIDEO_VAE, torch.float32)
    small = load_file(golden.FOLDER.parent / "taehv" / "model.safetensors")
    torch.save(small, folder / LIGHT_DECODER)
    write_wav2vec(folder / AUDIO_MODEL, layers=AUDIO_LAYERS)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "reference.png")
    return folder


def write_wan_profile(
    folder: Path,
    checkpoint: Path,
    *,
    denoisers: Sequence[Sequence[int]] = ((0, 1, 2, 3),),
    processes: str = "",
    model: str = "",
) -> Path:
    """Write a float32 profile of 96x64 pictures on the CPU, with the LoRA, and return its path.

    model: more of the profile's section of that name.
    """
    placements = [{"steps": list(steps), "device": "cpu"} for steps in denoisers]
    devices = "{audio_device: cpu, text_device: cpu}"
    profile = folder / "profile.yaml"
    profile.write_text(
        "extends: wan_s2v_14b\n"
        f"model: {{checkpoint: {checkpoint}, dtype: float32, {model}}}\n"
        "video: {width: 96, height: 64}\n"
        f"placement: {{denoisers: {json.dumps(placements)}, decoder: {{device: cpu}},"
        f" conductor: {devices}, processes: {{{processes}}}}}\n"
    )
    return profile


def _save_transformer(model: WanS2V, folder: Path) -> None:
    """Two shards and their index, as bfloat16; the configuration as the reference writes it."""
    tensors = {name: t.to(torch.bfloat16).contiguous() for name, t in model.state_dict().items()}
    names = sorted(tensors)
    weight_map: dict[str, str] = {}
    for shard, part in zip(SHARDS, (names[::2], names[1::2]), strict=True):
        file = f"diffusion_pytorch_model-{shard}.safetensors"
        save_file({n: tensors[n] for n in part}, folder / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / INDEX).write_text(json.dumps(index))
    values = {k: v for k, v in model.config.to_dict().items() if k not in _NOT_PUBLISHED}
    values["_diffusers_version"] = "0.42.1"
    (folder / "config.json").write_text(json.dumps(values))


def _lora(model: WanS2V, rank: int = 4) -> dict[str, Tensor]:
    """As Live Avatar's: bfloat16, with both words that peft puts into names."""
    pairs: dict[str, Tensor] = {}
    for name, layer in model.named_modules():
        if re.fullmatch(HEAVY_LAYERS, name) and isinstance(layer, nn.Linear):
            key = f"base_model.model.{name}"
            first = torch.randn(rank, layer.in_features) * 0.1
            second = torch.randn(layer.out_features, rank) * 0.1
            pairs[f"{key}.lora_A.default.weight"] = first.to(torch.bfloat16)
            pairs[f"{key}.lora_B.default.weight"] = second.to(torch.bfloat16)
    assert len(pairs) == 2 * LORA_LAYERS
    return pairs


def _save_pth(module: nn.Module, published, path: Path, dtype: torch.dtype) -> None:  # type: ignore[no-untyped-def]
    tied = "encoder.embed_tokens.weight"
    tensors = {
        published(name): tensor.to(dtype).clone()
        for name, tensor in module.state_dict().items()
        if name != tied
    }
    torch.save(tensors, path)


def _woken(module: nn.Module):  # type: ignore[no-untyped-def]
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    return module.eval()
