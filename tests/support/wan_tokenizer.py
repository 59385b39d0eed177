"""A small tokenizer file of umT5's kind: pieces of words, and an end mark after every text."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing

_SPECIAL = ("<pad>", "</s>", "<unk>")


def write_tokenizer(path: Path, *, words: int = 0) -> Path:
    """Writes a `tokenizer.json` that knows single characters, and `words` made-up words."""
    pieces = [(mark, 0.0) for mark in _SPECIAL]
    pieces += [(chr(code), -5.0) for code in range(33, 127)] + [("▁", -2.0)]
    pieces += [(f"▁word{number}", -9.0) for number in range(words)]
    tokenizer = Tokenizer(Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = Metaspace(prepend_scheme="never")
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))
    return path
