"""wav2vec 2.0 from files of any age, and its hidden states."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.wan_audio import write_wav2vec
from torch.testing import assert_close
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

from avatar_nodes.model.tensor_files import CheckpointError
from avatar_nodes.model.wav2vec import check_wav2vec, load_wav2vec


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav2vec(tmp_path_factory.mktemp("wav2vec"))


@pytest.fixture(scope="module")
def sound() -> torch.Tensor:
    torch.manual_seed(0)
    return 0.1 * torch.randn(9000) + 0.02


def test_hidden_states_are_those_of_the_library(folder: Path, sound: torch.Tensor) -> None:
    """The public code's own steps: the feature extractor, then every hidden state."""
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True)
    inputs = extractor(sound.numpy(), sampling_rate=16_000, return_tensors="pt").input_values
    model = Wav2Vec2ForCTC.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected = torch.cat(model(inputs, output_hidden_states=True).hidden_states)
    ours = load_wav2vec(folder)
    states = ours.hidden_states(sound)
    assert (ours.layers, ours.dim) == (4, 32)
    assert states.shape == (4, 32, (9000 - 400) // 320 + 1) and states.dtype == torch.float32
    assert_close(states, expected.transpose(1, 2), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "how", [{"bare": True}, {"pickled": True}, {"bare": True, "pickled": True}], ids=str
)
def test_other_files_of_the_same_weights(
    folder: Path, sound: torch.Tensor, tmp_path: Path, how: dict[str, bool]
) -> None:
    other = write_wav2vec(tmp_path / "other", **how)
    expected = load_wav2vec(folder).hidden_states(sound)
    assert torch.equal(load_wav2vec(other).hidden_states(sound), expected)


def test_faulty_tensors_are_named(folder: Path, tmp_path: Path) -> None:
    other = write_wav2vec(tmp_path / "other")
    tensors = load_file(other / "model.safetensors")
    del tensors["wav2vec2.encoder.pos_conv_embed.conv.weight_g"]
    tensors["wav2vec2.encoder.layer_norm.bias"] = torch.zeros(2)
    tensors["wav2vec2.adapter.weight"] = torch.zeros(2)
    tensors["wav2vec2.encoder.pos_conv_embed.conv.weight_v"] = torch.zeros(2)
    save_file(tensors, other / "model.safetensors")
    for load in (check_wav2vec, load_wav2vec):
        with pytest.raises(CheckpointError) as caught:
            load(other)
        message = str(caught.value)
        assert "unexpected: wav2vec2.adapter.weight" in message and "\n" not in message
        assert "wav2vec2.encoder.layer_norm.bias is [2], expected [32]" in message


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no wav2vec 2\.0 config"):
        check_wav2vec(tmp_path)
    write_wav2vec(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        check_wav2vec(tmp_path)
