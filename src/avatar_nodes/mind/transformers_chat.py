"""A chat model in this process, from a local folder, by transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LogitsProcessorList,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
    TextStreamer,
)
from transformers.utils import logging as transformers_logging

from avatar_nodes.mind.chat_contract import Message
from avatar_nodes.mind.json_constraint import JsonConstraint, JsonGrammar
from avatar_nodes.mind.reasoner import ReasonerError
from avatar_nodes.mind.text_stream import TextStream


@dataclass(frozen=True)
class LocalModelOptions:
    """Which model, and how it writes. `temperature` 0: always the likeliest token."""

    folder: str
    device: str = "cpu"
    dtype: str = "auto"
    max_tokens: int = 256
    temperature: float = 0.6
    constrained: bool = True
    """Only tokens that continue a valid answer are allowed."""
    threads: int = 1
    """CPU threads of this process's arithmetic."""
    seed: int = -1
    """Each answer's chance begins with it; -1: it goes on."""


class TransformersChat:
    """Any chat model that transformers reads, such as Qwen3; it writes on a thread of its own, one
    answer after the other.

    Raises:
        ReasonerError: the folder holds no chat model, or the device is not there.
    """

    def __init__(self, options: LocalModelOptions, schema: dict[str, Any]) -> None:
        self._options = options
        torch.set_num_threads(options.threads)
        self._tokenizer, self._model = _load(options)
        self._grammar: JsonGrammar | None = None
        if options.constrained:
            vocabulary = self._model.get_output_embeddings().weight.shape[0]
            self._grammar = JsonGrammar(self._tokenizer, vocabulary, json.dumps(schema))
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="chat model")
        self._newest: TextStream | None = None

    def stream(self, messages: Sequence[Message]) -> TextStream:
        """Begin an answer; it waits for the end of one that was cancelled (a token's time)."""
        text = self._newest = TextStream()
        self._pool.submit(self._write, list(messages), text)
        return text

    def close(self) -> None:
        """End the answer under way (a token's time) and the thread."""
        if self._newest is not None:
            self._newest.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _write(self, messages: list[Message], text: TextStream) -> None:
        if text.cancelled:
            return
        try:
            if self._generate(messages, text):
                text.end()
            else:
                limit = self._options.max_tokens
                text.fail("cut_off", f"cut off after reasoner.max_tokens, {limit}")
        except Exception as error:  # of torch's many kinds
            text.fail("model", f"{type(error).__name__}: {error}"[:300])

    @torch.inference_mode()
    def _generate(self, messages: list[Message], text: TextStream) -> bool:
        """Write an answer; false: it was longer than it may be."""
        inputs = self._tokenizer.apply_chat_template(
            messages,
            add_generation_prompt=True,
            enable_thinking=False,  # Qwen3; templates without it pass it over
            return_dict=True,
            return_tensors="pt",
        ).to(self._model.device)
        warm = self._options.temperature > 0.0
        if self._options.seed >= 0:
            torch.manual_seed(self._options.seed)
        constraints = [JsonConstraint(self._grammar)] if self._grammar else []
        written = self._model.generate(
            **inputs,
            max_new_tokens=self._options.max_tokens,
            do_sample=warm,
            **({"temperature": self._options.temperature} if warm else {}),
            pad_token_id=self._tokenizer.pad_token_id or self._tokenizer.eos_token_id,
            logits_processor=LogitsProcessorList(constraints),
            stopping_criteria=StoppingCriteriaList([_Cancelled(text)]),
            streamer=_Streamer(self._tokenizer, text),
        )[0, inputs["input_ids"].shape[1] :]
        ends = self._model.generation_config.eos_token_id
        ended = int(written[-1]) in (ends if isinstance(ends, list) else [ends])
        return ended or len(written) < self._options.max_tokens


class _Streamer(TextStreamer):
    """Hands finished words over."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, text: TextStream) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._text = text

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """transformers' hook."""
        self._text.put(text)


class _Cancelled(StoppingCriteria):
    """Stops the generation at the next token."""

    def __init__(self, text: TextStream) -> None:
        self._text = text

    def __call__(
        self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any
    ) -> torch.Tensor:
        """transformers' hook."""
        return torch.full(
            (input_ids.shape[0],), self._text.cancelled, dtype=torch.bool, device=input_ids.device
        )


def _load(options: LocalModelOptions) -> tuple[Any, Any]:
    folder = Path(options.folder).expanduser()
    if not (folder / "config.json").is_file():
        raise ReasonerError(f"backend transformers: model: expected a model's folder, got {folder}")
    transformers_logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, dtype=options.dtype
        )
        model = model.to(options.device).eval()
    except Exception as error:
        line = (str(error) or type(error).__name__).splitlines()[0]
        raise ReasonerError(f"backend transformers: {folder}: {line}") from error
    if not tokenizer.chat_template:
        raise ReasonerError(f"backend transformers: {folder}: the model has no chat template")
    return tokenizer, model
