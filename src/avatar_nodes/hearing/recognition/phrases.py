"""A language model of the sentences that visitors are likely to say, for pocketsphinx."""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True)
class PhraseModel:
    """Files for a decoder that knows the phrases and no other words."""

    lm: Path | None
    """Back-off trigram model (ARPA); None: no phrase is usable."""
    dictionary: Path
    """Pronunciations of their words alone: with a whole dictionary, such a small model takes many
    seconds to load."""
    unknown_words: list[str]
    """Words that the dictionary lacks; phrases with one of them are left out."""


def words_of(sentence: str) -> list[str]:
    """The words of a sentence in lower case, without punctuation."""
    return _WORD.findall(sentence.lower().replace("’", "'"))


def write_phrase_model(phrases: Sequence[str], folder: Path, *, dictionary: Path) -> PhraseModel:
    """Write the model of `phrases` into `folder`.

    Args:
        dictionary: of the general model: a word, or `word(2)`, and its phonemes on each line.
    """
    sentences = [words for phrase in phrases if (words := words_of(phrase))]
    wanted = {word for words in sentences for word in words}
    lines = _pronunciations(dictionary, wanted)
    known = {_base(line) for line in lines}
    usable = [words for words in sentences if set(words) <= known]
    model = PhraseModel(
        lm=folder / "phrases.lm" if usable else None,
        dictionary=folder / "phrases.dict",
        unknown_words=sorted(wanted - known),
    )
    model.dictionary.write_text("".join(lines), encoding="utf-8")
    if model.lm is not None:
        text = "\n".join(f"<s> {' '.join(words)} </s>" for words in usable)
        builder = importlib.import_module("pocketsphinx.lm").ArpaBoLM(text=text)
        builder.compute()
        with io.StringIO() as sheet:
            builder.write(sheet)
            model.lm.write_text(sheet.getvalue(), encoding="utf-8")
    return model


def _pronunciations(dictionary: Path, words: set[str]) -> list[str]:
    with dictionary.open(encoding="utf-8", errors="replace") as lines:
        return [line.rstrip("\n") + "\n" for line in lines if _base(line) in words]


def _base(line: str) -> str:
    """The word of a dictionary's line, without the number of its pronunciation."""
    return line.partition(" ")[0].partition("\t")[0].partition("(")[0].strip()
