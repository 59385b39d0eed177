"""umT5 under Wan's names against the public implementation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support import golden
from support.wan_tokenizer import write_tokenizer
from torch import Tensor
from torch.testing import assert_close

from avatar_nodes.model.tensor_files import CheckpointError
from avatar_nodes.model.wan_folder import TEXT_ENCODER, TOKENIZER
from avatar_nodes.model.wan_text import WanTextEncoder, check_text_encoder, cleaned_prompt


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The golden weights where Wan publishes its own."""
    torch.save(golden.load("t5/model"), tmp_path / TEXT_ENCODER)
    write_tokenizer(tmp_path / TOKENIZER)
    return tmp_path


def test_states(folder: Path) -> None:
    text = WanTextEncoder.load(folder, text_len=160)
    data = golden.load("t5/io")
    with torch.inference_mode():
        hidden = text.encoder(data["ids"], attention_mask=data["mask"]).last_hidden_state
    kept = data["mask"].bool()
    assert_close(hidden[kept], data["hidden"][kept], atol=3e-5, rtol=0)


def test_a_prompt_has_the_states_of_its_tokens_alone(folder: Path) -> None:
    """Batched with a mask, as the reference does, or alone: the same."""
    text = WanTextEncoder.load(folder, text_len=160)
    data = golden.load("t5/io")
    length = int(data["mask"][1].sum())
    with torch.inference_mode():
        alone = text.encoder(data["ids"][1:, :length]).last_hidden_state[0]
    assert_close(alone, data["hidden"][1, :length], atol=3e-5, rtol=0)


def test_prompts_have_their_length_and_an_end(folder: Path) -> None:
    text = WanTextEncoder.load(folder, text_len=8)
    assert text.encode("").shape == (1, 64)
    assert text.encode("abc").shape == (4, 64)
    assert text.encode("abc" * 9).shape == (8, 64)
    assert torch.equal(text.encode("a \n b"), text.encode("a b"))
    assert text.encode("a").dtype == torch.float32
    half = WanTextEncoder.load(folder, text_len=8, dtype=torch.bfloat16)
    assert next(half.encoder.parameters()).dtype == torch.bfloat16
    difference = (half.encode("abc") - text.encode("abc")).norm() / text.encode("abc").norm()
    assert 0 < difference < 0.05


def test_cleaning() -> None:
    assert cleaned_prompt("  a&amp;amp;b\n\t c ") == "a&b c"


def _rewritten(folder: Path, **changes: Tensor | None) -> None:
    tensors = {**golden.load("t5/model"), **changes}
    torch.save({n: t for n, t in tensors.items() if t is not None}, folder / TEXT_ENCODER)


def test_every_faulty_tensor_is_named_as_the_file_spells_it(folder: Path) -> None:
    changes = {"norm.weight": None, "blocks.1.norm1.weight": torch.zeros(3), "head": torch.ones(1)}
    _rewritten(folder, **changes)
    for load in (check_text_encoder, lambda f: WanTextEncoder.load(f, text_len=8)):
        with pytest.raises(CheckpointError) as caught:
            load(folder)
        message = str(caught.value)
        assert "\n" not in message and message.startswith(str(folder / TEXT_ENCODER))
        assert "missing: norm.weight; unexpected: head" in message
        assert "wrong shape: blocks.1.norm1.weight is [3], expected [64]" in message


def test_a_file_that_holds_more_than_tensors_is_refused(folder: Path) -> None:
    torch.save({"token_embedding.weight": Path("a pickled object")}, folder / TEXT_ENCODER)
    with pytest.raises(CheckpointError, match="no file of tensors") as caught:
        check_text_encoder(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"not JSON"])
def test_no_tokenizer(folder: Path, content: bytes) -> None:
    (folder / TOKENIZER).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: is no tokenizer"):
        check_text_encoder(folder)


def test_a_tokenizer_for_another_model(folder: Path) -> None:
    write_tokenizer(folder / TOKENIZER, words=400)
    with pytest.raises(
        CheckpointError, match=r"tokens, models_t5_umt5-xxl-enc-bf16\.pth knows 300"
    ):
        check_text_encoder(folder)
