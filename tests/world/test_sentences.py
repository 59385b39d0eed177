import pytest

from avatar_nodes.world.sentences import SPLITS, all_sentences, sentences, split_of


def test_splits_are_disjoint_and_complete() -> None:
    parts = [set(sentences(split)) for split in SPLITS]
    assert sum(len(part) for part in parts) == len(set().union(*parts)) == len(all_sentences())
    assert len(all_sentences()) >= 400


def test_every_split_has_every_language() -> None:
    for split in SPLITS:
        assert {s.language for s in sentences(split)} == {"en", "de", "es", "fr"}


def test_split_depends_on_the_sentence_alone() -> None:
    for sentence in sentences("test"):
        assert split_of(sentence) == "test"


def test_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown split"):
        sentences("dev")
