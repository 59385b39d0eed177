"""A language model of the sentences that visitors are likely to say, for pocketsphinx."""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words_of(sentence: str) -> list[str]:
    """The words of a sentence in lower case, without punctuation."""
    return _WORD.findall(sentence.lower().replace("’", "'"))


def write_phrase_model(
    phrases: Sequence[str], path: Path, *, is_known: Callable[[str], bool]
) -> list[str]:
    """Write a back-off trigram model (ARPA) of `phrases` to `path`; returns the words left out.

    Phrases with a word for which `is_known` is false (it is not in the dictionary) are left out,
    and nothing is written where none remains.
    """
    sentences = [words for phrase in phrases if (words := words_of(phrase))]
    unknown = sorted({word for words in sentences for word in words if not is_known(word)})
    usable = [words for words in sentences if not set(words) & set(unknown)]
    if usable:
        text = "\n".join(f"<s> {' '.join(words)} </s>" for words in usable)
        builder = importlib.import_module("pocketsphinx.lm").ArpaBoLM(text=text)
        builder.compute()
        with io.StringIO() as sheet:
            builder.write(sheet)
            path.write_text(sheet.getvalue())
    return unknown
