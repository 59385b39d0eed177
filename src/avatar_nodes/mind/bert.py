"""BERT's encoder in numpy, for models small enough that torch would outweigh them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avatar_nodes.mind.mapped_tensors import map_tensors


class BertError(ValueError):
    """The folder's model is none that is computed here; one line."""


class Bert:
    """A BERT with absolute positions and gelu, from a folder of transformers' format.

    Raises:
        BertError, TensorFileError, OSError: it is of another kind, or not whole.
    """

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for key, known in (("model_type", "bert"), ("hidden_act", "gelu")):
            if config.get(key) != known:
                raise BertError(f"{key}: expected {known}, got {config.get(key)}")
        self._heads = int(config["num_attention_heads"])
        self._epsilon = float(config["layer_norm_eps"])
        self._layers = range(int(config["num_hidden_layers"]))
        self._tensors = {
            name.removeprefix("bert."): tensor
            for name, tensor in map_tensors(folder / "model.safetensors").items()
        }

    def encode(self, sentences: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """The states float32 [tokens, dim] of each sentence, given by its token ids.

        Matrices meet the tokens of all sentences at once; attention meets each sentence's own.
        """
        ends = np.cumsum([len(ids) for ids in sentences])
        spans = [slice(end - len(ids), end) for ids, end in zip(sentences, ends, strict=True)]
        places = np.concatenate([np.arange(len(ids)) for ids in sentences])
        states = (
            self._tensors["embeddings.word_embeddings.weight"][np.concatenate(sentences)]
            + self._tensors["embeddings.position_embeddings.weight"][places]
            + self._tensors["embeddings.token_type_embeddings.weight"][0]
        )
        states = self._normed(states, "embeddings.LayerNorm")
        for number in self._layers:
            states = self._layer(states, spans, f"encoder.layer.{number}")
        return [states[span] for span in spans]

    def _layer(self, states: np.ndarray, spans: Sequence[slice], name: str) -> np.ndarray:
        query, key, value = (
            self._linear(states, f"{name}.attention.self.{part}")
            for part in ("query", "key", "value")
        )
        seen = np.concatenate(
            [_attention(query[span], key[span], value[span], self._heads) for span in spans]
        )
        seen = self._linear(seen, f"{name}.attention.output.dense")
        states = self._normed(states + seen, f"{name}.attention.output.LayerNorm")
        inner = _gelu(self._linear(states, f"{name}.intermediate.dense"))
        return self._normed(
            states + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm"
        )

    def _linear(self, values: np.ndarray, name: str) -> np.ndarray:
        tensors = self._tensors
        return np.asarray(values @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"])

    def _normed(self, values: np.ndarray, name: str) -> np.ndarray:
        centred = values - values.mean(axis=-1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + self._epsilon)
        tensors = self._tensors
        return np.asarray(
            centred / spread * tensors[f"{name}.weight"] + tensors[f"{name}.bias"], np.float32
        )


def _attention(query: np.ndarray, key: np.ndarray, value: np.ndarray, heads: int) -> np.ndarray:
    """Multi-head attention over the tokens [tokens, dim] of one sentence."""
    tokens, dim = query.shape
    query, key, value = (
        part.reshape(tokens, heads, -1).transpose(1, 0, 2) for part in (query, key, value)
    )
    scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(dim // heads))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return (weights @ value).transpose(1, 0, 2).reshape(tokens, dim)


def _gelu(values: np.ndarray) -> np.ndarray:
    """x * Phi(x), with erf by Abramowitz and Stegun's formula 7.1.26 (wrong by 1.5e-7 at most)."""
    size = np.abs(values) * np.float32(np.sqrt(0.5))
    t = 1.0 / (1.0 + np.float32(0.3275911) * size)
    series = np.zeros_like(t)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(factor)) * t
    erf = np.copysign(1.0 - series * np.exp(-size * size), values)
    return np.asarray(np.float32(0.5) * values * (1.0 + erf))
