"""The causal audio encoder against the public one, and block by block against the whole."""

from __future__ import annotations

import json

import pytest
import torch
from support import golden
from torch.testing import assert_close

from avatar_nodes.block.audio_features import CONTEXT_COLUMNS
from avatar_nodes.model.audio_encoder import CausalAudioEncoder


@pytest.fixture(scope="module")
def encoder() -> CausalAudioEncoder:
    config = json.loads((golden.FOLDER / "audio_encoder/config.json").read_text())
    encoder = CausalAudioEncoder(
        config["dim"], config["out_dim"], config["num_layers"], config["num_token"]
    )
    encoder.load_state_dict({k: v.float() for k, v in golden.load("audio_encoder/model").items()})
    return encoder.requires_grad_(False)


@pytest.mark.parametrize("length", (12, 13))
def test_whole_sequence(encoder: CausalAudioEncoder, length: int) -> None:
    data = golden.load("audio_encoder/io")
    tokens = encoder(data[f"features_T{length}"])
    assert_close(tokens.local, data[f"local_T{length}"], atol=1e-5, rtol=0)
    assert_close(tokens.whole, data[f"global_T{length}"], atol=1e-5, rtol=0)


def test_five_columns_of_context_stand_for_the_73_of_the_reference(
    encoder: CausalAudioEncoder,
) -> None:
    data = golden.load("audio_encoder/io")
    features = data["features_T12"]
    first = features[..., :1].expand(-1, -1, -1, CONTEXT_COLUMNS)
    tokens = encoder(torch.cat([first, features], dim=-1), pad=False)
    assert_close(tokens.local, data["local_T12_leftpad73"], atol=1e-5, rtol=0)
    assert_close(tokens.whole, data["global_T12_leftpad73"], atol=1e-5, rtol=0)


def test_blocks_are_encoded_as_in_the_whole_sequence(encoder: CausalAudioEncoder) -> None:
    torch.manual_seed(1)
    features = torch.randn(1, 25, 32, CONTEXT_COLUMNS + 36)
    whole = encoder(features, pad=False)
    assert whole.local.shape == (1, 9, 5, 128)
    for block in range(3):
        columns = features[..., 12 * block : 12 * block + CONTEXT_COLUMNS + 12]
        tokens = encoder(columns, pad=False)
        frames = slice(3 * block, 3 * block + 3)
        assert_close(tokens.local, whole.local[:, frames], atol=1e-6, rtol=0)
        assert_close(tokens.whole, whole.whole[:, frames], atol=1e-6, rtol=0)


def test_one_layer_needs_no_mixing() -> None:
    torch.manual_seed(0)
    encoder = CausalAudioEncoder(6, 32, 1, 4)
    features = torch.randn(1, 1, 6, 17)
    before = encoder(features, pad=False).local
    encoder.weights.data.zero_()
    assert torch.equal(encoder(features, pad=False).local, before)
