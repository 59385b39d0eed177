"""A voice that keeps what the persona says: what is made beforehand, what of disk, what never."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.waiting import wait_until

from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.mind.phrasebook import standing_sentences
from avatar_nodes.speaking.speech_stream import SpeechStream
from avatar_nodes.speaking.synthesis.cached_synthesiser import CachedSynthesiser
from avatar_nodes.speaking.synthesis.speech_cache import SpeechCache
from avatar_nodes.speaking.synthesis.synthesiser import Emit, Synthesiser, SynthesisError

RATE = 24000


class Slow(Synthesiser):
    """Speaks when it is let; every text has its own sound."""

    name = "slow"
    language = "en"

    def __init__(self) -> None:
        super().__init__(sample_rate=RATE)
        self.asked: list[str] = []
        self.priorities: list[int] = []
        self.go = threading.Event()
        self.go.set()
        self.closed = False

    def speak(self, text: str, language: str, stream: SpeechStream, emit: Emit) -> None:
        self.asked.append(text)
        self.priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        stream.on_cancel(lambda: None)
        for part in np.array_split(sound_of(text), 3):
            while not self.go.wait(0.005):
                if stream.cancelled:
                    return
            if text == "broken":
                raise SynthesisError("slow: it broke")
            if not emit(part, RATE):
                return

    def close(self) -> None:
        super().close()
        self.closed = True


def sound_of(text: str) -> np.ndarray:
    rng = np.random.default_rng(len(text))
    return rng.integers(-9000, 9000, 100 * len(text), np.int16)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def cache(tmp_path: Path) -> SpeechCache:
    return SpeechCache(tmp_path / "speech", "slow", most_bytes=1_000_000)


@pytest.fixture
def voice(slow: Slow, cache: SpeechCache) -> Iterator[CachedSynthesiser]:
    kept = CachedSynthesiser(slow, cache)
    threads = threading.active_count()
    yield kept
    kept.close()
    assert slow.closed and threading.active_count() <= threads


def said(voice: CachedSynthesiser, text: str, language: str = "en") -> np.ndarray:
    return np.concatenate(list(voice.synthesise(text, language)))


def test_what_is_expected_is_made_beforehand_and_heard_without_the_voice(
    voice: CachedSynthesiser, slow: Slow
) -> None:
    voice.expect(["Hello there.", "Goodbye."], "en")
    wait_until(lambda: voice.missing == 0, what="sentences made beforehand")
    assert slow.asked == ["Hello there.", "Goodbye."]
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert all(priority > own for priority in slow.priorities), "it gives way"
    np.testing.assert_array_equal(said(voice, "Goodbye."), sound_of("Goodbye."))
    assert len(slow.asked) == 2


def test_another_process_finds_what_was_kept_but_for_another_voice_or_language(
    voice: CachedSynthesiser, slow: Slow, cache: SpeechCache, tmp_path: Path
) -> None:
    voice.expect(["Hello."], "en")
    wait_until(lambda: voice.missing == 0, what="the sentence")
    again = SpeechCache(tmp_path / "speech", "slow", most_bytes=1_000_000)
    other = SpeechCache(tmp_path / "speech", "slow, but lower", most_bytes=1_000_000)
    found = again.read("Hello.", "en")
    assert found is not None and found[1] == RATE
    np.testing.assert_array_equal(found[0], sound_of("Hello."))
    assert other.read("Hello.", "en") is None and cache.read("Hello.", "de") is None
    assert [file.stat().st_mode & 0o077 for file in (tmp_path / "speech").iterdir()] == [0]


def test_what_nobody_expects_is_spoken_and_never_cached(
    voice: CachedSynthesiser, tmp_path: Path
) -> None:
    np.testing.assert_array_equal(said(voice, "Dear Jane Doe."), sound_of("Dear Jane Doe."))
    assert not (tmp_path / "speech").exists()


def test_what_is_to_be_spoken_ends_what_is_made_ahead_which_begins_again_after_it(
    voice: CachedSynthesiser, slow: Slow
) -> None:
    slow.go.clear()
    voice.expect(["A long sentence.", "Another."], "en")
    wait_until(lambda: slow.asked == ["A long sentence."], what="what is made ahead")
    stream = voice.synthesise("Now!", "en")
    wait_until(lambda: "Now!" in slow.asked, what="what is to be spoken")
    assert slow.asked[:2] == ["A long sentence.", "Now!"], "nothing is made ahead meanwhile"
    slow.go.set()
    np.testing.assert_array_equal(np.concatenate(list(stream)), sound_of("Now!"))
    wait_until(lambda: voice.missing == 0, what="the rest")
    assert slow.asked[2:] == ["A long sentence.", "Another."]


def test_an_expected_sentence_that_is_spoken_first_is_kept_then(
    voice: CachedSynthesiser, slow: Slow, cache: SpeechCache
) -> None:
    slow.go.clear()
    voice.expect(["First.", "Second."], "en")
    wait_until(lambda: slow.asked == ["First."], what="what is made ahead")
    stream = voice.synthesise("Second.", "en")
    wait_until(lambda: "Second." in slow.asked, what="what is to be spoken")
    slow.go.set()
    list(stream)
    wait_until(lambda: voice.missing == 0, what="the rest")
    assert slow.asked == ["First.", "Second.", "First."] and cache.has("Second.", "en")


def test_half_a_sentence_is_not_cached(
    voice: CachedSynthesiser, slow: Slow, cache: SpeechCache
) -> None:
    slow.go.clear()
    voice.expect(["Only half of it."], "en")
    stream = voice.synthesise("Only half of it.", "en")
    wait_until(lambda: "Only half of it." in slow.asked, what="what is to be spoken")
    stream.cancel()
    assert not cache.has("Only half of it.", "en")


def test_a_sentence_that_fails_is_not_tried_for_ever(voice: CachedSynthesiser, slow: Slow) -> None:
    voice.expect(["broken", "Fine."], "en")
    wait_until(lambda: voice.missing == 0, what="the rest")
    assert slow.asked == ["broken", "Fine."]
    with pytest.raises(SynthesisError, match="it broke"):
        said(voice, "broken")


@pytest.mark.parametrize("damage", [b"", b"RIFF", b"no sound at all"])
def test_a_damaged_file_is_made_anew(
    voice: CachedSynthesiser, slow: Slow, tmp_path: Path, damage: bytes
) -> None:
    voice.expect(["Hello."], "en")
    wait_until(lambda: voice.missing == 0, what="the sentence")
    (file,) = (tmp_path / "speech").iterdir()
    whole = file.read_bytes()
    for part in (damage, whole[:-101]):
        file.write_bytes(part)
        np.testing.assert_array_equal(said(voice, "Hello."), sound_of("Hello."))
        wait_until(lambda: file.read_bytes() == whole, what="the sentence again")


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    cache = SpeechCache(tmp_path, "slow", most_bytes=3 * 2 * 1000 + 500)
    for number in range(3):
        cache.keep(f"{number}", "en", np.full(1000, 5, np.int16), RATE)
        for file in tmp_path.iterdir():
            os.utime(file, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns - 10**9))
    assert cache.read("0", "en") is not None  # used
    cache.keep("3", "en", np.full(1000, 5, np.int16), RATE)
    assert [cache.has(f"{number}", "en") for number in range(4)] == [True, False, True, True]


def test_a_disk_that_takes_nothing_costs_nothing_but_the_keeping(
    slow: Slow, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    kept = CachedSynthesiser(
        slow, SpeechCache(tmp_path / "file" / "speech", "slow", most_bytes=1000)
    )
    kept.expect(["Hello."], "en")
    wait_until(lambda: kept.missing == 0, what="the attempt")
    np.testing.assert_array_equal(said(kept, "Hello."), sound_of("Hello."))
    kept.close()


def test_standing_sentences_are_those_in_the_same_words_each_time() -> None:
    persona = load_persona("default")
    sentences = standing_sentences(persona)
    assert len(sentences) == len(set(sentences)) > 50
    assert f"I am {persona.name}." in sentences
    for time_of_day in ("morning", "afternoon", "evening"):
        assert f"Good {time_of_day}!" in sentences
    assert not any("{" in sentence for sentence in sentences)
