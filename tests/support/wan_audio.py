"""A small wav2vec 2.0 model with random weights, saved as the published one is."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

_OLD_NAMES = {
    "parametrizations.weight.original0": "weight_g",
    "parametrizations.weight.original1": "weight_v",
}


def write_wav2vec(
    folder: Path, *, layers: int = 3, dim: int = 32, bare: bool = False, pickled: bool = False
) -> Path:
    """The recogniser's `config.json` and weights in `folder`, which is returned.

    bare: the names that newer libraries write, without recogniser. pickled: as `pytorch_model.bin`.
    """
    torch.manual_seed(5)
    config = Wav2Vec2Config(
        hidden_size=dim, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=2 * dim,
        conv_dim=(16,) * 7, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True,
        num_conv_pos_embeddings=32, num_conv_pos_embedding_groups=4, vocab_size=33,
        mask_time_prob=0.05,
    )  # fmt: skip
    model = Wav2Vec2ForCTC(config).eval()
    state = model.wav2vec2.state_dict() if bare else model.state_dict()
    tensors = {}
    for name, tensor in state.items():
        for new, old in ({} if bare else _OLD_NAMES).items():
            name = name.replace(new, old)
        tensors[name] = tensor.contiguous().clone()
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    if pickled:
        torch.save(tensors, folder / "pytorch_model.bin")
    else:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
