"""Whisper through transformers, on a tiny random checkpoint that is made here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.visitor import say
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from avatar_nodes.hearing.recognition.recogniser import RecogniserError, open_recogniser
from avatar_nodes.hearing.recognition.whisper import WhisperRecogniser

SPECIAL = (
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>",
    "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
)  # fmt: skip


def bytes_as_letters() -> list[str]:
    """The 256 letters that byte-level tokenizers write bytes as."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    letters = {byte: chr(byte) for byte in kept}
    letters |= {byte: chr(256 + place) for place, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def build_whisper(folder: Path, *, multilingual: bool) -> Path:
    """A checkpoint of a few kilobytes, as `save_pretrained` leaves it."""
    folder.mkdir()
    vocabulary = {letter: place for place, letter in enumerate(bytes_as_letters())}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = WhisperTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    torch.manual_seed(1)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1,
            encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=32,
            decoder_ffn_dim=32, max_target_positions=48, pad_token_id=ids["<|endoftext|>"],
            bos_token_id=ids["<|endoftext|>"], eos_token_id=ids["<|endoftext|>"],
            decoder_start_token_id=ids["<|startoftranscript|>"],
        )
    )  # fmt: skip
    told: dict[str, object] = {
        "max_length": 40, "is_multilingual": multilingual,
        "eos_token_id": ids["<|endoftext|>"], "pad_token_id": ids["<|endoftext|>"],
        "decoder_start_token_id": ids["<|startoftranscript|>"],
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "suppress_tokens": [], "begin_suppress_tokens": [],
    }  # fmt: skip
    if multilingual:
        told["lang_to_id"] = {token: ids[token] for token in ("<|en|>", "<|de|>")}
        told["task_to_id"] = {
            "transcribe": ids["<|transcribe|>"],
            "translate": ids["<|translate|>"],
        }
    model.generation_config = GenerationConfig(**told)
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(), tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_whisper(tmp_path_factory.mktemp("whisper") / "many", multilingual=True)


def test_a_random_model_gives_some_text_the_same_each_time(checkpoint: Path) -> None:
    recogniser = WhisperRecogniser(checkpoint, language="en-GB")
    results = []
    for _ in range(2):
        for part in np.array_split(say("Where is the exit?"), 5):
            recogniser.push(part)
        results.append(recogniser.finish())
    assert results[0] == results[1]
    assert results[0].text
    assert results[0].language == "en"
    assert 0.0 < results[0].confidence <= 1.0
    recogniser.close()


def test_other_sound_other_text(checkpoint: Path) -> None:
    recogniser = WhisperRecogniser(checkpoint, language="de")
    recogniser.push(say("Good morning."))
    inputs = [recogniser.finish()]
    recogniser.push(np.random.default_rng(0).integers(-9000, 9000, 48000).astype(np.int16))
    inputs.append(recogniser.finish())
    assert inputs[0] != inputs[1]


def test_the_interim_text_makes_the_final_one_ready(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recogniser = WhisperRecogniser(checkpoint, language="en")
    calls = []
    real = recogniser._generate
    monkeypatch.setattr(recogniser, "_generate", lambda sound: calls.append(1) or real(sound))
    recogniser.push(say("Who are you?"))
    interim = recogniser.interim()
    assert (recogniser.finish().text, len(calls)) == (interim, 1)
    assert recogniser.interim() == ""
    assert recogniser.finish().text == ""
    assert len(calls) == 1


def test_the_language_is_detected_among_those_known(checkpoint: Path) -> None:
    recogniser = open_recogniser("whisper", model=checkpoint)
    recogniser.push(say("Guten Morgen.", "de"))
    assert recogniser.finish().language in ("en", "de")


def test_an_english_model_needs_no_language(tmp_path: Path) -> None:
    recogniser = WhisperRecogniser(build_whisper(tmp_path / "english", multilingual=False))
    recogniser.push(say("Good morning."))
    assert recogniser.finish().language == "en"


def test_what_is_wrong_is_one_line(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(RecogniserError, match="got nothing"):
        open_recogniser("whisper")
    with pytest.raises(RecogniserError, match=r"config\.json is missing"):
        WhisperRecogniser(tmp_path)
    with pytest.raises(RecogniserError, match="'fi'"):
        WhisperRecogniser(checkpoint, language="fi")
    with pytest.raises(RecogniserError) as refused:
        WhisperRecogniser(checkpoint, device="toaster")
    assert "\n" not in str(refused.value)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(RecogniserError) as refused:
        WhisperRecogniser(tmp_path)
    assert "\n" not in str(refused.value)
