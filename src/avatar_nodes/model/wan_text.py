"""umT5 as Wan publishes it: its own names for the tensors, sizes that only the file tells."""

from __future__ import annotations

import html
import logging
import re
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import UMT5Config, UMT5EncoderModel

from avatar_nodes.model.load_tensors import Spelling, check_tensors, load_tensors
from avatar_nodes.model.tensor_files import CheckpointError, Shape, tensor_shapes
from avatar_nodes.model.wan_folder import TEXT_ENCODER, TOKENIZER

_log = logging.getLogger(__name__)
TIED = {"encoder.embed_tokens.weight": "shared.weight"}
"""Tensors that are others."""
_IN_LAYER = {
    "0.SelfAttention.relative_attention_bias.weight": "pos_embedding.embedding.weight",
    "0.SelfAttention.q.weight": "attn.q.weight",
    "0.SelfAttention.k.weight": "attn.k.weight",
    "0.SelfAttention.v.weight": "attn.v.weight",
    "0.SelfAttention.o.weight": "attn.o.weight",
    "0.layer_norm.weight": "norm1.weight",
    "1.layer_norm.weight": "norm2.weight",
    "1.DenseReluDense.wi_0.weight": "ffn.gate.0.weight",
    "1.DenseReluDense.wi_1.weight": "ffn.fc1.weight",
    "1.DenseReluDense.wo.weight": "ffn.fc2.weight",
}
_WHOLE = {
    "shared.weight": "token_embedding.weight",
    "encoder.final_layer_norm.weight": "norm.weight",
}
_END = "</s>"


class WanTextEncoder:
    """Prompt to text states: Wan's umT5 encoder and tokenizer. States have the real length."""

    def __init__(self, encoder: UMT5EncoderModel, tokenizer: Tokenizer, *, text_len: int) -> None:
        self.encoder = encoder
        self.text_len = text_len
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(text_len)

    @property
    def text_dim(self) -> int:
        return int(self.encoder.config.d_model)

    @classmethod
    def load(
        cls, folder: Path | str, *, text_len: int, dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> WanTextEncoder:  # fmt: skip
        """Reads a published folder, each tensor straight onto `device`. Raises CheckpointError."""
        folder = Path(folder)
        tokenizer = load_tokenizer(folder / TOKENIZER)
        encoder = _without_weights(folder / TEXT_ENCODER)
        load_tensors(
            encoder, [folder / TEXT_ENCODER], dtype=dtype, device=device, spelling=_SPELLING
        )
        return cls(encoder.eval().requires_grad_(False), tokenizer, text_len=text_len)

    def excess(self, text: str) -> str:
        """By how much a prompt is longer than the model takes, in words; empty: it is not."""
        over = self._tokenizer.encode(cleaned_prompt(text)).overflowing
        most = self.text_len
        return f"more than {most} tokens, the model takes {most}" if over else ""

    @torch.inference_mode()
    def encode(self, text: str) -> Tensor:
        """States float32 [len <= text_len, text_dim] of a prompt and its end mark, on the CPU."""
        cleaned = cleaned_prompt(text)
        ids = self._tokenizer.encode(cleaned).ids
        if excess := self.excess(text):
            _log.warning("prompt cut: %s: %r", excess, cleaned)
        states: Tensor = self.encoder(
            input_ids=torch.tensor([ids], device=self.encoder.device)
        ).last_hidden_state
        return states[0].float().cpu()


def check_text_encoder(folder: Path | str) -> UMT5EncoderModel:
    """The encoder on the meta device, if the files hold its tensors and a tokenizer for it.

    Raises CheckpointError.
    """
    folder = Path(folder)
    encoder = _without_weights(folder / TEXT_ENCODER)
    check_tensors(encoder, [folder / TEXT_ENCODER], spelling=_SPELLING)
    tokenizer = load_tokenizer(folder / TOKENIZER)
    if tokenizer.get_vocab_size() > encoder.config.vocab_size:
        raise CheckpointError(
            f"{folder / TOKENIZER}: has {tokenizer.get_vocab_size()} tokens, {TEXT_ENCODER} knows"
            f" {encoder.config.vocab_size}"
        )
    return encoder


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a `tokenizer.json` that ends a text with `</s>`. Raises CheckpointError."""
    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise CheckpointError(f"{path}: is no tokenizer: {error}") from error
    if tokenizer.encode("").tokens != [_END]:
        raise CheckpointError(f"{path}: does not end a text with {_END}, expected umT5's tokenizer")
    return tokenizer


def cleaned_prompt(text: str) -> str:
    """As the model was trained: HTML entities read, white space single."""
    return re.sub(r"\s+", " ", html.unescape(html.unescape(text))).strip()


def _published(name: str) -> str:
    layer = re.fullmatch(r"encoder\.block\.(\d+)\.layer\.(.+)", name)
    return f"blocks.{layer[1]}.{_IN_LAYER[layer[2]]}" if layer else _WHOLE[name]


_SPELLING = Spelling(published=_published, tied=TIED)


def _without_weights(path: Path) -> UMT5EncoderModel:
    """The encoder on the meta device, its sizes taken from the file's tensors."""
    shapes = tensor_shapes(path)
    vocabulary, dim = _shape(shapes, "token_embedding.weight", path)
    inner, _ = _shape(shapes, "blocks.0.attn.q.weight", path)
    hidden, _ = _shape(shapes, "blocks.0.ffn.fc1.weight", path)
    buckets, heads = _shape(shapes, "blocks.0.pos_embedding.embedding.weight", path)
    layers = {name.split(".")[1] for name in shapes if name.startswith("blocks.")}
    config = UMT5Config(  # type: ignore[call-arg]
        vocab_size=vocabulary, d_model=dim, d_kv=inner // heads, d_ff=hidden, num_heads=heads,
        num_layers=len(layers), relative_attention_num_buckets=buckets,
        relative_attention_max_distance=128, dropout_rate=0.0, layer_norm_epsilon=1e-6,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    )  # fmt: skip
    with torch.device("meta"):
        return UMT5EncoderModel(config)


def _shape(shapes: dict[str, Shape], name: str, path: Path) -> Shape:
    shape = shapes.get(name, ())
    if len(shape) != 2:
        raise CheckpointError(f"{path}: is no umT5 encoder of Wan: has no matrix {name}")
    return shape
