"""Prompt to text states: the encoder half of umT5, over UTF-8 bytes for the tiny profile."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import ByT5Tokenizer, UMT5Config, UMT5EncoderModel

from avatar_nodes.model.load_tensors import Spelling, load_tensors
from avatar_nodes.model.tensor_files import CheckpointError

_log = logging.getLogger(__name__)
_WEIGHTS = "model.safetensors"
_TIED = {"encoder.embed_tokens.weight": "shared.weight"}


class TextEncoder(nn.Module):
    """umT5 encoder and its byte tokenizer. States have the prompt's real length."""

    def __init__(self, encoder: UMT5EncoderModel, *, text_len: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.text_len = text_len
        self.tokenizer = ByT5Tokenizer()  # its vocabulary is the 256 bytes: no file to load

    @property
    def text_dim(self) -> int:
        return int(self.encoder.config.d_model)

    @classmethod
    def tiny(cls, *, text_dim: int = 128, text_len: int = 64) -> TextEncoder:
        """A small encoder with random weights, to be trained with the transformer."""
        config = UMT5Config(  # type: ignore[call-arg]
            vocab_size=384, d_model=text_dim, d_kv=32, d_ff=2 * text_dim, num_layers=2, num_heads=4,
            dropout_rate=0.0, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
        )  # fmt: skip
        return cls(UMT5EncoderModel(config), text_len=text_len)

    @classmethod
    def load(cls, folder: Path | str, *, text_len: int) -> TextEncoder:
        """Reads `config.json` and `model.safetensors`. Raises CheckpointError."""
        folder = Path(folder)
        try:
            config = UMT5Config.from_json_file(folder / "config.json")
            encoder = UMT5EncoderModel(config)
        except (OSError, ValueError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise CheckpointError(
                f"{folder / 'config.json'}: is no umT5 config: {reason}"
            ) from error
        text = cls(encoder, text_len=text_len)
        load_tensors(
            encoder, [folder / _WEIGHTS], dtype=torch.float32, spelling=Spelling(tied=_TIED)
        )
        return text.eval()

    def save(self, folder: Path | str) -> None:
        """Writes what `load` reads."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {
            k: v.contiguous() for k, v in self.encoder.state_dict().items() if k not in _TIED
        }
        partial = folder / (_WEIGHTS + ".partial")
        save_file(tensors, partial, metadata={"format": "pt"})
        partial.replace(folder / _WEIGHTS)
        self.encoder.config.to_json_file(folder / "config.json")

    def excess(self, text: str) -> str:
        """By how much a prompt is longer than the model takes, in words; empty: it is not."""
        length, most = len(text.encode()), self.text_len - 1
        return f"{length} bytes, the model takes {most}" if length > most else ""

    @torch.no_grad()
    def encode(self, text: str) -> Tensor:
        """States float32 [len <= text_len, text_dim] of a prompt (UTF-8 bytes and an end mark)."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> Tensor:
        """States [P, longest, text_dim], zero past each prompt's end; differentiable."""
        for text in texts:
            if excess := self.excess(text):
                _log.warning("prompt cut: %s: %r", excess, text)
        batch = self.tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=self.text_len,
            return_tensors="pt",
        ).to(self.encoder.device)
        states = self.encoder(**batch).last_hidden_state
        return states * batch["attention_mask"][..., None].to(states.dtype)
