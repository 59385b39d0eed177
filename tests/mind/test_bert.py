"""BERT in numpy computes what transformers computes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from avatar_nodes.mind.bert import Bert, BertError
from avatar_nodes.mind.mapped_tensors import TensorFileError, map_tensors

SENTENCES = ([3, 1, 4, 1, 5], [9], [2, 6, 5, 3, 5, 8, 9, 7])


@pytest.fixture(scope="module")
def model() -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=10, hidden_size=24, num_hidden_layers=3, num_attention_heads=4,
        intermediate_size=40, max_position_embeddings=16, initializer_range=0.5,
    )  # fmt: skip
    return BertModel(config).eval()


@pytest.fixture
def folder(model: BertModel, tmp_path: Path) -> Path:
    model.save_pretrained(tmp_path)
    return tmp_path


def test_each_sentence_is_encoded_as_if_it_were_alone(model: BertModel, folder: Path) -> None:
    found = Bert(folder).encode(SENTENCES)
    for ids, states in zip(SENTENCES, found, strict=True):
        with torch.inference_mode():
            wanted = model(torch.tensor([ids])).last_hidden_state[0].numpy()
        assert states.dtype == np.float32
        assert np.allclose(states, wanted, atol=2e-5)


def test_another_model_is_refused(folder: Path) -> None:
    file = folder / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"hidden_act": "relu"}))
    with pytest.raises(BertError, match="hidden_act: expected gelu, got relu"):
        Bert(folder)
    file.write_text(json.dumps(config | {"model_type": "roberta"}))
    with pytest.raises(BertError, match="model_type: expected bert, got roberta"):
        Bert(folder)


def test_tensors_are_mapped_read_only(model: BertModel, folder: Path) -> None:
    found = map_tensors(folder / "model.safetensors")
    for name, value in model.state_dict().items():
        assert np.array_equal(found[name], value.numpy())
    with pytest.raises(ValueError, match="read-only"):
        found["pooler.dense.bias"][0] = 1.0


def test_no_tensor_file(folder: Path) -> None:
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    for broken in (b"", b"RIFFxxxxWAVE", whole[:100], whole[: len(whole) // 2]):
        file.write_bytes(broken)
        with pytest.raises(TensorFileError, match=r"model\.safetensors: "):
            map_tensors(file)
