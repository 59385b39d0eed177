"""Whisper on CTranslate2, on a tiny random checkpoint that is made and converted here; and on the
real one, where it is on this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from support.models import real_model
from support.visitor import say, silence, word_errors, words
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from avatar_nodes.hearing.log_mel import log_mel
from avatar_nodes.hearing.recognition import whisper
from avatar_nodes.hearing.recognition.backends import open_recogniser
from avatar_nodes.hearing.recognition.recogniser import RecogniserError
from avatar_nodes.hearing.recognition.whisper import WhisperRecogniser, _Text, _words_of

pytest.importorskip("ctranslate2", reason="the Python package ctranslate2 is not installed")

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
            decoder_ffn_dim=32, max_target_positions=448, pad_token_id=ids["<|endoftext|>"],
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


def convert(folder: Path) -> Path:
    """The same for CTranslate2, as the documentation tells."""
    from ctranslate2.converters import TransformersConverter

    converter = TransformersConverter(str(folder), copy_files=["tokenizer.json"])
    target = folder.with_name(f"{folder.name}_ct2")
    converter.convert(str(target), quantization="int8")
    return target


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(build_whisper(tmp_path_factory.mktemp("whisper") / "many", multilingual=True))


@pytest.fixture
def _believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a random model writes is as unlikely as noise."""
    monkeypatch.setattr(whisper, "_UNLIKELY", -99.0)
    monkeypatch.setattr(whisper, "_NO_SPEECH", 2.0)
    monkeypatch.setattr(whisper, "_REPETITIVE", 99.0)
    monkeypatch.setattr(whisper, "_words_of", lambda found: found.text.strip() or "x")


@pytest.mark.usefixtures("_believed")
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


@pytest.mark.usefixtures("_believed")
def test_other_sound_other_text(checkpoint: Path) -> None:
    recogniser = WhisperRecogniser(checkpoint, language="en")
    recogniser.push(say("Good morning."))
    inputs = [recogniser.finish()]
    recogniser.push(np.random.default_rng(0).integers(-9000, 9000, 48000).astype(np.int16))
    inputs.append(recogniser.finish())
    assert inputs[0] != inputs[1]


@pytest.mark.usefixtures("_believed")
def test_the_interim_text_makes_the_final_one_ready(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recogniser = WhisperRecogniser(checkpoint, language="en")
    calls = []
    real = recogniser._understand
    monkeypatch.setattr(recogniser, "_understand", lambda sound: calls.append(1) or real(sound))
    recogniser.push(say("Who are you?"))
    interim = recogniser.interim()
    assert (recogniser.finish().text, len(calls)) == (interim, 1)
    assert recogniser.interim() == ""
    assert recogniser.finish().text == ""
    assert len(calls) == 1


def test_a_model_of_several_languages_is_told_which(checkpoint: Path) -> None:
    recogniser = WhisperRecogniser(checkpoint)
    recogniser._multilingual = True
    assert recogniser._known("de-AT") == "de"
    told = [recogniser._tokenizer.id_to_token(number) for number in recogniser._start("de")]
    assert told == ["<|startoftranscript|>", "<|de|>", "<|transcribe|>", "<|notimestamps|>"]


def test_an_english_model_needs_no_language(tmp_path: Path) -> None:
    recogniser = WhisperRecogniser(convert(build_whisper(tmp_path / "english", multilingual=False)))
    recogniser.push(say("Good morning."))
    assert recogniser.finish().language == "en"


def test_what_is_wrong_is_one_line(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(RecogniserError, match=r"config\.json is missing"):
        WhisperRecogniser(tmp_path)
    with pytest.raises(RecogniserError, match="'fi'"):
        WhisperRecogniser(checkpoint, language="fi")
    for change in ({"device": "toaster"}, {"device": "cpu:x"}):
        with pytest.raises(RecogniserError) as refused:
            WhisperRecogniser(checkpoint, **change)
        assert "\n" not in str(refused.value)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(RecogniserError, match="ct2-transformers-converter"):
        WhisperRecogniser(tmp_path)
    for name in ("model.bin", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(RecogniserError, match=r"tokenizer\.json"):
        WhisperRecogniser(tmp_path)
    shutil.copy(checkpoint / "tokenizer.json", tmp_path)
    with pytest.raises(RecogniserError) as refused:
        WhisperRecogniser(tmp_path)
    assert "\n" not in str(refused.value)


def test_without_the_model_pocketsphinx_listens_and_says_what_is_missing() -> None:
    told: list[str] = []
    recogniser = open_recogniser("auto", on_lack=told.append)
    assert type(recogniser).__name__ == "PocketSphinxRecogniser"
    assert told == [
        "pocketsphinx listens in place of whisper: whisper-base is not on this machine"
        " (`avatar models fetch whisper-base` brings it, 148 MB)"
    ]
    with pytest.raises(RecogniserError, match="avatar models fetch"):
        open_recogniser("whisper")
    with pytest.raises(RecogniserError, match=r"tiny\.en is not on this machine"):
        open_recogniser("auto", model="whisper-tiny.en")


def test_auto_takes_a_folder_for_what_it_is(checkpoint: Path, tmp_path: Path) -> None:
    assert isinstance(open_recogniser("auto", model=checkpoint), WhisperRecogniser)
    (tmp_path / "mdef").touch()
    with pytest.raises(RecogniserError, match=r"\*\.lm\.bin"):
        open_recogniser("auto", model=tmp_path)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (_Text("Where is the exit?", -0.3, 0.1), "Where is the exit?"),
        (_Text("Five, five.", -1.2, 0.3), "Five, five."),
        (_Text("[Music] Hello (coughs) there ♪", -0.3, 0.1), "Hello there"),
        (_Text("...", -0.3, 0.1), ""),
        (_Text("", -0.3, 0.1), ""),
        (_Text("[BLANK_AUDIO]", -0.3, 0.1), ""),
        (_Text("Thank you.", -1.1, 0.9), ""),
        (_Text("the water in the water", -2.1, 0.2), ""),
        (_Text("front left " * 20, -0.1, 0.3), ""),
        (_Text("Öffnet 9.30 Uhr", -0.3, 0.1), "Öffnet 9.30 Uhr"),
    ],
)
def test_what_was_made_up_is_no_text(found: _Text, text: str) -> None:
    assert _words_of(found) == text


def test_the_window_is_cropped_and_the_text_bounded(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recogniser = WhisperRecogniser(checkpoint, language="en")
    windows: list[int] = []
    real = recogniser._transcribe

    def transcribe(sound: np.ndarray, window_s: int) -> tuple[_Text, str]:
        windows.append(window_s)
        return real(sound, window_s)

    monkeypatch.setattr(recogniser, "_transcribe", transcribe)
    monkeypatch.setattr(whisper, "_REPETITIVE", 99.0)
    for seconds in (1.0, 12.4, 45.0):
        recogniser.push(silence(seconds))
        recogniser.finish()
    assert windows == [10, 15, 30]
    monkeypatch.setattr(whisper, "_REPETITIVE", 0.01)
    recogniser.push(say("Again and again."))
    recogniser.finish()
    assert windows[3:] == [10, 30]


def test_phrases_go_before_it_as_far_as_there_is_room(checkpoint: Path) -> None:
    recogniser = WhisperRecogniser(checkpoint, language="en", phrases=["where is it", "x" * 999])
    assert recogniser._tokenizer.decode(recogniser._led[1:]) == " where is it."
    assert WhisperRecogniser(checkpoint)._led == []


@pytest.mark.parametrize("bands", [80, 128])
def test_it_hears_the_spectrogram_that_it_was_trained_on(bands: int) -> None:
    sound = np.random.default_rng(0).normal(0.0, 0.1, 48_000).astype(np.float32)
    sound[20_000:] *= 0.001
    extractor = WhisperFeatureExtractor(feature_size=bands)
    theirs = extractor(sound, sampling_rate=16_000, return_tensors="np", padding="longest")
    ours = log_mel(sound, bands)
    assert ours.shape == (bands, 300)
    assert np.abs(theirs.input_features[0][:, :300] - ours).max() < 1e-4


@pytest.fixture(scope="module")
def base() -> WhisperRecogniser:
    return WhisperRecogniser(real_model("whisper-base"))


def test_the_real_one_understands_and_finds_the_language(base: WhisperRecogniser) -> None:
    sentence = "Where can I find the toilets, please?"
    base.push(say(sentence))
    heard = base.finish()
    assert heard.language == "en"
    assert word_errors(words(sentence), words(heard.text)) <= 1


def test_the_real_one_understands_a_language_that_it_is_told() -> None:
    sentence = "¿Dónde están los baños?"
    recogniser = WhisperRecogniser(real_model("whisper-base"), language="es-MX")
    recogniser.push(say(sentence, "es"))
    heard = recogniser.finish()
    assert heard.language == "es"
    assert heard.text.lower().strip("¿?. ") == "donde están los baños"


def test_the_real_one_refuses_noise(base: WhisperRecogniser) -> None:
    rng = np.random.default_rng(1)
    t = np.arange(48_000) / 16_000
    for sound in (
        np.zeros(48_000),
        rng.normal(0, 3000, 48_000),
        8000 * np.sin(2 * np.pi * 100 * t),
        sum(3000 * np.sin(2 * np.pi * f * t) * np.exp(-((t * 2) % 1) * 4) for f in (220, 277, 330)),
    ):
        base.push(np.clip(sound, -32768, 32767).astype(np.int16))
        assert base.finish().text == ""
