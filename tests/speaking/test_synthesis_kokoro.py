"""Kokoro: with the smallest model there is, which makes a tone, and the real one where it is."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from support.models import real_model

from avatar_nodes.speaking.settings import VoiceSettings
from avatar_nodes.speaking.speaker import Speaker
from avatar_nodes.speaking.synthesis.backends import build_synthesiser
from avatar_nodes.speaking.synthesis.espeak_library import Espeak
from avatar_nodes.speaking.synthesis.kokoro_phonemes import kokoro_phonemes, numbers_of
from avatar_nodes.speaking.synthesis.synthesiser import SynthesisError

pytest.importorskip("onnxruntime", reason="the Python package onnxruntime is not installed")

from avatar_nodes.speaking.synthesis.kokoro import KokoroSynthesiser, clauses

TONE = Path(__file__).parent.parent / "data/kokoro/model.onnx"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Voices whose loudness tells them apart."""
    shutil.copy(TONE, tmp_path)
    for voice, loudness in (("af_heart", 0.5), ("bf_emma", 0.25), ("ef_dora", 0.75)):
        np.full((510, 256), loudness, np.float32).tofile(tmp_path / f"{voice}.bin")
    return tmp_path


def whole(synthesiser: KokoroSynthesiser, text: str, language: str = "") -> np.ndarray:
    return np.concatenate(list(synthesiser.synthesise(text, language)))


def loudness(speech: np.ndarray) -> float:
    return float(np.abs(speech).max()) / 32768


def test_a_voice_s_sound_at_the_graph_s_rate(folder: Path) -> None:
    """Without its stress marks `həlˈO.` is 5 letters; with them and the two ends, 8 numbers."""
    speech = whole(KokoroSynthesiser(folder=folder), "Hello.")
    assert len(speech) == pytest.approx(8 * 600 * 16_000 / 24_000, abs=30)
    times = np.arange(len(speech)) / 16_000
    tone = np.sin(2 * np.pi * 200 * times)
    assert np.corrcoef(speech[500:-500], tone[500:-500])[0, 1] > 0.99
    assert loudness(speech) == pytest.approx(0.5, abs=0.01)


def test_speed_and_volume(folder: Path) -> None:
    speech = whole(KokoroSynthesiser(folder=folder, speed=2.0, volume=0.5), "Hello.")
    assert len(speech) == pytest.approx(8 * 600 * 16_000 / 24_000 / 2, abs=30)
    assert loudness(speech) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("voice", "language", "loud"),
    [
        ("af_heart", "", 0.5), ("af_heart", "en-GB", 0.5), ("af_heart", "es", 0.75),
        ("en-us", "", 0.5), ("en-gb", "", 0.25), ("en", "", 0.25), ("bf_emma", "en-US", 0.25),
        ("es-MX", "", 0.75),
    ],
)  # fmt: skip
def test_each_language_has_its_voice(folder: Path, voice: str, language: str, loud: float) -> None:
    speech = whole(KokoroSynthesiser(folder=folder, voice=voice), "Hola, hello.", language)
    assert loudness(speech) == pytest.approx(loud, abs=0.01)


def test_the_first_clause_is_heard_before_the_rest_is_made(folder: Path) -> None:
    synthesiser = KokoroSynthesiser(folder=folder)
    made: list[str] = []
    real = synthesiser._phonemes
    synthesiser._phonemes = lambda clause, language: made.append(clause) or real(clause, language)  # type: ignore[method-assign,func-returns-value]
    stream = synthesiser.synthesise("Just a moment, please, and I will show you. Come here!")
    next(stream)
    list(stream)
    assert made == ["Just a moment,", "please, and I will show you. Come here!"]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello.", ["Hello."]),
        ("Hi! I am Ada.", ["Hi! I am Ada."]),
        ("One moment please, I look. It is open.", ["One moment please,", "I look. It is open."]),
        ("No comma at all", ["No comma at all"]),
        ("3,5 is a number, 9:30 is a time.", ["3,5 is a number,", "9:30 is a time."]),
    ],
)
def test_clauses(text: str, pieces: list[str]) -> None:
    assert list(clauses(text)) == pieces


def test_long_texts_come_in_pieces_that_lose_nothing() -> None:
    text = " ".join(f"This is sentence number {number}, and it goes on." for number in range(30))
    pieces = list(clauses(text))
    assert " ".join(pieces) == text
    assert max(map(len, pieces)) <= 120


def test_what_cannot_be_used_is_one_line(folder: Path, tmp_path: Path) -> None:
    for options, told in (
        ({"folder": tmp_path / "none"}, "no such file"),
        ({"folder": folder, "voice": "xx_nobody"}, "no voice is, or speaks, 'xx_nobody'"),
        ({"folder": folder, "voice": "../af_heart"}, "no voice"),
        ({"folder": folder, "voice": "de"}, "'de'"),
    ):
        with pytest.raises(SynthesisError, match=told) as refused:
            KokoroSynthesiser(**options)  # type: ignore[arg-type]
        assert "\n" not in str(refused.value)
    (folder / "af_heart.bin").write_bytes(b"1234" * 3)
    with pytest.raises(SynthesisError, match="3 numbers are no voice"):
        KokoroSynthesiser(folder=folder)
    (folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(SynthesisError, match="no usable model"):
        KokoroSynthesiser(folder=folder)


def test_a_language_without_a_voice_is_refused_and_the_next_text_is_spoken(folder: Path) -> None:
    synthesiser = KokoroSynthesiser(folder=folder)
    with pytest.raises(SynthesisError, match="'de'"):
        whole(synthesiser, "Guten Tag.", "de")
    assert len(whole(synthesiser, "Hello."))


def test_the_store_s_models_are_named_by_the_profile() -> None:
    for settings in (
        VoiceSettings(backend="kokoro", sample_rate=16_000),
        VoiceSettings(backend="piper", voice="piper-joe", sample_rate=16_000),
    ):
        with pytest.raises(SynthesisError, match=r"is not on this machine .`avatar models fetch"):
            build_synthesiser(settings)


@pytest.mark.parametrize(
    ("language", "text", "phonemes"),
    [
        ("en-us", "hello", "həlˈO"),
        ("en-us", "nature boy", "nˈAʧəɹ bˈY"),
        ("en-us", "world", "wˈɜɹld"),
        ("en-us", "my house", "mI hˈWs"),
        ("en-us", "little button", "lˈɪɾᵊl bˈʌtᵊn"),
        ("en", "go there", "ɡˌQ ðˈɛː"),
        ("es", "chico", "ʧˈiko"),
    ],
)
def test_phonemes_are_in_kokoro_s_alphabet(language: str, text: str, phonemes: str) -> None:
    with Espeak(lambda samples, marks: False) as machine:
        found = kokoro_phonemes(machine.phonemes(text, voice=language), language)
    assert found == phonemes
    assert len(numbers_of(found)) == len(found)


def test_what_its_alphabet_lacks_is_left_out() -> None:
    assert numbers_of("a☃b\n") == [43, 44]


@pytest.fixture(scope="module")
def real() -> KokoroSynthesiser:
    return KokoroSynthesiser(folder=real_model("kokoro"))


def test_the_real_one_speaks_sooner_than_it_has_made_all(real: KokoroSynthesiser) -> None:
    stream = real.synthesise("Please follow me, the robots are in the hall on the left, I think.")
    first = next(stream)
    made_s = stream.made_s
    rest = np.concatenate([first, *stream])
    assert made_s < 0.8 * stream.made_s
    assert 2 * 16_000 < len(rest) < 8 * 16_000
    assert rest.std() > 300


def test_the_real_one_stops_at_once(real: KokoroSynthesiser) -> None:
    stream = real.synthesise(
        "A tour begins every full hour at the desk and takes forty minutes " * 3
    )
    time.sleep(0.5)
    (thread,) = real._under_way
    asked = time.perf_counter()
    stream.cancel()
    assert list(stream) == []
    thread.join()
    assert time.perf_counter() - asked < 0.5  # 8 ms on a machine with nothing else to do


def test_a_reply_that_is_cut_is_over_within_100_ms_of_sound() -> None:
    """What its speaker sends after the cut, and how long the voice then works on."""
    speaker = Speaker(KokoroSynthesiser(folder=real_model("kokoro")), lead_s=60.0, ahead_s=60.0)
    text = "Please follow me, the robots are in the hall on the left, behind the glass door."
    for index in range(3):
        speaker.say(1, index, text, is_last=index == 2)
    sent = 0
    while not sent:
        sent += sum(len(run.run.samples) for run in speaker.poll())
        time.sleep(0.005)
    cut = time.perf_counter()
    speaker.cancel(1)
    runs = speaker.poll()
    assert sum(len(run.run.samples) for run in runs) <= 0.1 * 16_000
    assert runs[-1].run.end_of_stream
    while any(thread.name == "kokoro" for thread in threading.enumerate()):
        time.sleep(0.005)
    assert time.perf_counter() - cut < 1.0  # it does not finish its clause
    speaker.close()
