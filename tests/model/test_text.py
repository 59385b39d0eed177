"""Prompts to text states."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from avatar_nodes.model.checkpoint import CheckpointError
from avatar_nodes.model.text import TextEncoder


@pytest.fixture
def text() -> TextEncoder:
    torch.manual_seed(0)
    return TextEncoder.tiny(text_dim=16, text_len=12).eval()


def test_states_have_the_prompts_length(text: TextEncoder) -> None:
    assert text.encode("wave").shape == (5, 16)  # four bytes and the end mark
    assert text.encode("é").shape == (3, 16)
    assert text.encode("").shape == (1, 16)


def test_a_batch_equals_its_prompts_and_is_zero_behind_them(text: TextEncoder) -> None:
    states = text.encode_batch(["hi", "a nod"])
    assert states.shape == (2, 6, 16) and states.requires_grad
    assert_close(states[0, :3], text.encode("hi"), atol=1e-5, rtol=0)
    assert not states[0, 3:].any()


def test_a_long_prompt_is_cut_and_said_so(
    text: TextEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert text.encode("far too long for it").shape == (12, 16)
    assert "the model takes 11" in caplog.text


def test_round_trip(text: TextEncoder, tmp_path: Path) -> None:
    text.save(tmp_path)
    loaded = TextEncoder.load(tmp_path, text_len=12)
    assert torch.equal(loaded.encode("smile"), text.encode("smile"))
    assert len(list(loaded.parameters())) == len(list(text.parameters()))
    loaded.encode_batch(["x"]).sum().backward()
    assert loaded.encoder.shared.weight.grad is not None


def test_a_missing_tensor_is_named(text: TextEncoder, tmp_path: Path) -> None:
    text.save(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["shared.weight"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"missing: .*shared\.weight"):
        TextEncoder.load(tmp_path, text_len=12)


def test_a_folder_without_a_config(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json"):
        TextEncoder.load(tmp_path, text_len=12)
