"""PocketSphinx understands questions, all the better when it knows the likely ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.visitor import PHRASES, QUESTIONS, chunks, say, silence, with_noise, word_errors, words

from avatar_nodes.hearing.recognition.backends import open_recogniser
from avatar_nodes.hearing.recognition.phrases import words_of
from avatar_nodes.hearing.recognition.pocketsphinx import PocketSphinxRecogniser
from avatar_nodes.hearing.recognition.recogniser import RecogniserError, Recognition

QUIET = 0.3


@pytest.fixture(scope="module")
def general() -> PocketSphinxRecogniser:
    return PocketSphinxRecogniser()


@pytest.fixture(scope="module")
def with_phrases() -> PocketSphinxRecogniser:
    return PocketSphinxRecogniser(phrases=PHRASES)


def hear(
    recogniser: PocketSphinxRecogniser, text: str, voice: str, *, level: float = 0.4
) -> Recognition:
    sound = np.concatenate([silence(QUIET), say(text, voice, level=level), silence(QUIET)])
    for _, part in chunks(with_noise(sound, rms=25.0 * level)):
        recogniser.push(part)
    return recogniser.finish()


def test_known_phrases_are_understood_in_several_voices(
    with_phrases: PocketSphinxRecogniser,
) -> None:
    wrong = total = 0
    for voice, question in QUESTIONS:
        heard = hear(with_phrases, question, voice)
        wrong += word_errors(words(question), words(heard.text))
        total += len(words(question))
        assert 0.0 < heard.confidence <= 1.0
        assert heard.language == "en"
    assert wrong <= 0.25 * total


@pytest.mark.parametrize(
    ("sentence", "kept"),
    [
        ("My brother has broken his bicycle yesterday.", "bicycle"),
        ("Elephants never forget their friends.", "friends"),
        ("The weather forecast says rain on Friday.", "friday"),
    ],
)
def test_other_sentences_are_not_bent_into_the_phrases(
    with_phrases: PocketSphinxRecogniser, sentence: str, kept: str
) -> None:
    assert kept in words(hear(with_phrases, sentence, "en-us").text)


def test_quiet_and_loud_are_understood_alike(with_phrases: PocketSphinxRecogniser) -> None:
    for level in (0.02, 0.1, 0.9):
        heard = hear(with_phrases, "Where is the exit, please?", "en-us", level=level)
        assert {"where", "exit"} <= set(words(heard.text)), level


def test_interim_texts_grow(with_phrases: PocketSphinxRecogniser) -> None:
    sound = with_noise(say("Can you show me the way to the station?"), rms=10.0)
    texts = []
    for _, part in chunks(sound, 4000):
        with_phrases.push(part)
        texts.append(with_phrases.interim())
    final = with_phrases.finish().text
    assert texts[0] == ""
    assert len(texts[-1].split()) >= 5
    assert "station" in final


def test_silence_nothing_and_what_was_reset_hold_no_words(general: PocketSphinxRecogniser) -> None:
    assert general.finish().text == ""
    general.push(say("Please wave your hand."))
    general.reset()
    general.push(silence(1.0))
    assert general.finish().text == ""


def test_phrases_with_unknown_words_are_left_out_and_told() -> None:
    recogniser = PocketSphinxRecogniser(phrases=["where is the exit", "who is Xyzzyq?", "  "])
    assert recogniser.unknown_words == ["xyzzyq"]
    assert len(recogniser._decoders) == 2
    recogniser.close()


def test_words_of_a_phrase() -> None:
    assert words_of("What's – the TIME, at 9?") == ["what's", "the", "time", "at", "9"]


def test_a_model_folder_is_checked(tmp_path: Path) -> None:
    with pytest.raises(RecogniserError, match=r"expected one mdef in it, got 0"):
        open_recogniser("pocketsphinx", model=tmp_path)
    (tmp_path / "hmm").mkdir()
    for name in ("hmm/mdef", "a.lm", "a.dict"):
        (tmp_path / name).write_text("nonsense")
    with pytest.raises(RecogniserError, match=r"\d* ?(ERROR|FATAL|mdef|load)"):
        open_recogniser("pocketsphinx", model=tmp_path)


def test_an_unknown_recogniser_is_refused() -> None:
    with pytest.raises(RecogniserError, match="expected one of auto, pocketsphinx, whisper"):
        open_recogniser("telepathy")
