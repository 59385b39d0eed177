"""Keeps a language model to a JSON schema: tokens that would break it get no probability."""

from __future__ import annotations

from typing import Any

import torch
from transformers import LogitsProcessor

from avatar_nodes.mind.reasoner import ReasonerError

# One way to write the object, as models are used to; else some go on with white space for ever.
_STYLE: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class JsonGrammar:
    """A schema, compiled for one of transformers' tokenizers; for any number of answers.

    Args:
        vocabulary: how many tokens the model gives scores for.

    Raises:
        ReasonerError: the `llguidance` package is missing, or it cannot use tokenizer or schema.
    """

    def __init__(self, tokenizer: Any, vocabulary: int, schema: str) -> None:
        try:
            import llguidance
            import llguidance.hf
        except ImportError as error:
            raise ReasonerError("constrained: the Python package llguidance is missing") from error
        self._matcher_class = llguidance.LLMatcher
        try:
            self._tokenizer = llguidance.hf.from_tokenizer(tokenizer, n_vocab=vocabulary)
            self._grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, overrides=_STYLE)
        except Exception as error:
            line = str(error).splitlines()[0]
            raise ReasonerError(
                f"constrained: the model's tokenizer does not fit: {line}"
            ) from error

    def begin(self) -> Any:
        """A matcher at the start of an answer."""
        return self._matcher_class(self._tokenizer, self._grammar)


class JsonConstraint(LogitsProcessor):
    """For one call of `generate` with one sequence."""

    def __init__(self, grammar: JsonGrammar) -> None:
        self._matcher = grammar.begin()
        self._seen: int | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """transformers' hook: `input_ids` [1, tokens], `scores` [1, vocabulary]."""
        if self._seen is not None:
            self._matcher.consume_tokens(input_ids[0, self._seen :].tolist())
        self._seen = input_ids.shape[1]
        packed = torch.frombuffer(bytearray(self._matcher.compute_bitmask()), dtype=torch.uint8)
        bits = (packed[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1
        allowed = bits.flatten()[: scores.shape[1]].bool().to(scores.device)
        return scores.masked_fill(~allowed, float("-inf"))
