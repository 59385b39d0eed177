"""espeak-ng as a synthesiser: streamed, the same every time, ended at once."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from avatar_nodes.speaking.synthesis.espeak import EspeakSynthesiser
from avatar_nodes.speaking.synthesis.espeak_library import Espeak
from avatar_nodes.speaking.synthesis.synthesiser import MAX_TEXT, SynthesisError
from avatar_nodes.world.speech import synthesise as synthesise_for_training

TEXT = "Hello there, I am very glad to see you."


@pytest.fixture
def espeak() -> Iterator[EspeakSynthesiser]:
    synthesiser = EspeakSynthesiser()
    yield synthesiser
    synthesiser.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "espeak"]


class _Allocated(ctypes.Structure):
    """glibc's struct mallinfo2."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd",
            "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


def allocator() -> Callable[[], int]:
    """What tells how many bytes this process has from malloc; skips where none can be asked."""
    mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo2 is None:
        pytest.skip("only glibc from 2.33 on tells what is allocated")
    mallinfo2.restype = _Allocated
    return lambda: mallinfo2().uordblks + mallinfo2().hblkhd


def whole(synthesiser: EspeakSynthesiser, text: str = TEXT, language: str = "") -> np.ndarray:
    return np.concatenate(list(synthesiser.synthesise(text, language)))


def test_says_what_training_heard(espeak: EspeakSynthesiser) -> None:
    """The mouth was trained on these very sounds, resampled whole; here they are streamed."""
    speech = whole(espeak)
    heard = synthesise_for_training(TEXT).samples
    assert speech.dtype == np.int16 and len(speech) == pytest.approx(len(heard), abs=2)
    shared = min(len(speech), len(heard))
    assert np.allclose(speech[:shared] / 32768.0, heard[:shared], atol=2e-3)


def test_comes_in_many_chunks_that_are_the_same_every_time(espeak: EspeakSynthesiser) -> None:
    chunks = list(espeak.synthesise(TEXT))
    assert len(chunks) > 10 and max(map(len, chunks)) <= 2000
    espeak_german = whole(espeak, "Guten Tag", "de")
    assert np.array_equal(np.concatenate(chunks), whole(espeak))
    assert np.array_equal(espeak_german, whole(espeak, "Guten Tag", "de"))


def test_first_chunk_while_the_rest_is_still_to_be_made() -> None:
    """espeak-ng is held in its first callback: what it gave is there, and it has not gone on."""
    go_on = threading.Event()
    given: list[int] = []

    def hold(samples: np.ndarray, marks: object) -> bool:
        given.append(len(samples))
        return go_on.wait(60.0)

    with Espeak(hold) as machine:
        maker = threading.Thread(
            target=lambda: machine.speak(TEXT, voice="en-us", rate=170, pitch=50)
        )
        maker.start()
        while not given:
            maker.join(0.01)
        assert len(given) == 1 and 0 < given[0] < 0.1 * machine.rate
        go_on.set()
        maker.join()
    assert sum(given) > 2 * machine.rate


def test_an_utterance_leaves_no_memory_behind() -> None:
    """A kiosk speaks all day."""
    allocated = allocator()

    def say() -> None:
        with Espeak(lambda samples, marks: True) as machine:
            machine.speak("Well.", voice="en-us+f3", rate=170, pitch=50)

    for _ in range(10):
        say()
    gc.collect()
    before = allocated()
    for _ in range(100):
        say()
    gc.collect()
    assert allocated() - before < 100 * 500


def test_stops_in_the_middle_when_no_more_is_wanted() -> None:
    given: list[int] = []

    def refuse(samples: np.ndarray, marks: object) -> bool:
        given.append(len(samples))
        return len(given) < 3

    with Espeak(refuse) as machine:
        machine.speak(TEXT * 50, voice="en-us", rate=170, pitch=50)
    assert len(given) == 3


def test_cancelled_streams_end_and_the_next_is_whole(espeak: EspeakSynthesiser) -> None:
    expected = whole(espeak)
    for taken in range(4):
        stream = espeak.synthesise(TEXT * 20)
        for _ in range(taken):
            next(stream)
        stream.cancel()
        assert list(stream) == []
    assert np.array_equal(whole(espeak), expected)


def test_several_at_the_same_time(espeak: EspeakSynthesiser) -> None:
    texts = [f"{TEXT} Number {number}." for number in range(4)]
    alone = [whole(espeak, text) for text in texts]
    together = [espeak.synthesise(text) for text in texts]
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one, np.concatenate(list(other)))


@pytest.mark.parametrize(
    ("voice", "language", "same_as"),
    [
        ("en-us+f3", "", "en-us+f3"),
        ("en-us+f3", "en", "en-us+f3"),
        ("en-us+f3", "EN_us", "en-us+f3"),
        ("en-us+f3", "de-AT", "de+f3"),
        ("en-us", "en-GB", "en"),
        ("de", "zh-CN", "cmn"),
    ],
)
def test_a_language_chooses_the_voice_and_keeps_its_variant(
    voice: str, language: str, same_as: str
) -> None:
    spoken = whole(EspeakSynthesiser(voice=voice), "Museum 12", language)
    assert np.array_equal(spoken, whole(EspeakSynthesiser(voice=same_as), "Museum 12"))


def test_rate_pitch_and_volume_are_heard() -> None:
    plain = whole(EspeakSynthesiser())
    assert len(whole(EspeakSynthesiser(rate=300))) < 0.7 * len(plain)
    quiet = whole(EspeakSynthesiser(volume=30)).astype(float)
    assert np.abs(quiet).max() < 0.5 * np.abs(plain.astype(float)).max()
    low, high = (whole(EspeakSynthesiser(pitch=pitch)) for pitch in (10, 90))
    assert median_pitch(low) < 0.8 * median_pitch(high)


def median_pitch(speech: np.ndarray) -> float:
    """Hertz: the median over loud frames of 40 ms of the lag at which each repeats itself best."""
    frames = speech[: len(speech) // 640 * 640].reshape(-1, 640).astype(float)
    loud = frames[frames.std(axis=1) > 1000.0]
    lags = np.arange(16_000 // 400, 16_000 // 60)
    repeats = [[np.mean(frame[lag:] * frame[:-lag]) for lag in lags] for frame in loud]
    return float(np.median(16_000 / lags[np.argmax(repeats, axis=1)]))


@pytest.mark.parametrize("rate", [8000, 22_050, 48_000])
def test_any_graph_rate(rate: int) -> None:
    assert len(whole(EspeakSynthesiser(sample_rate=rate))) == pytest.approx(2.2377 * rate, rel=0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"voice": "klingon-9"}, "unknown voice"),
        ({"voice": "en+nobody"}, "unknown voice"),
        ({"rate": 20}, "rate 20"),
        ({"pitch": 100}, "pitch 100"),
        ({"volume": 201}, "volume 201"),
    ],
)
def test_wrong_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(SynthesisError, match=message):
        EspeakSynthesiser(**settings)


def test_texts_that_cannot_be_spoken(espeak: EspeakSynthesiser) -> None:
    with pytest.raises(SynthesisError, match="empty"):
        espeak.synthesise(" \n")
    with pytest.raises(SynthesisError, match=f"at most {MAX_TEXT}"):
        espeak.synthesise("a" * (MAX_TEXT + 1))
    with pytest.raises(SynthesisError, match="no voice speaks 'xx'"):
        whole(espeak, TEXT, "xx")
    assert len(whole(espeak, "nul \0 and half a letter \ud800"))


def test_a_closed_synthesiser_says_so() -> None:
    synthesiser = EspeakSynthesiser()
    stream = synthesiser.synthesise(TEXT * 90)
    synthesiser.close()
    synthesiser.close()
    assert list(stream) == []
    with pytest.raises(SynthesisError, match="closed"):
        synthesiser.synthesise(TEXT)
