import threading

import numpy as np
import pytest

from avatar_nodes.world.speech import (
    SAMPLE_RATE,
    Phone,
    Speech,
    SpeechError,
    synthesise,
)

TEXT = "Mama, papa bought many apples. Maybe!"

VOICES = (
    "en-us", "en-us+m3", "en-us+f2", "en", "en+f3", "en+m7", "de", "de+f2", "es", "es+f3", "fr",
    "fr+f2",
)  # fmt: skip


def loudness(speech: Speech, phone: Phone) -> float:
    part = speech.samples[int(phone.start_s * SAMPLE_RATE) : int(phone.end_s * SAMPLE_RATE)]
    return float(np.sqrt(np.mean(np.square(part))))


def test_phones_are_in_order_without_gaps_and_within_the_sound() -> None:
    speech = synthesise(TEXT)
    assert speech.samples.dtype == np.float32 and np.abs(speech.samples).max() <= 1.0
    for before, after in zip(speech.phones, speech.phones[1:], strict=False):
        assert before.start_s < before.end_s == after.start_s
    assert speech.phones[-1].end_s == pytest.approx(speech.duration_s, abs=1e-3)


def test_phone_times_agree_with_the_energy_of_the_sound() -> None:
    """Vowels loud, closures quieter, pauses silent: only true if the times are right."""
    speech = synthesise(TEXT)
    vowels = [loudness(speech, p) for p in speech.phones if p.ipa and p.ipa[0] in "aɑæɛɔe"]
    stops = [loudness(speech, p) for p in speech.phones if p.ipa == "p"]
    pauses = [loudness(speech, p) for p in speech.phones if not p.ipa and p.end_s - p.start_s > 0.1]
    assert len(vowels) >= 5 and len(stops) >= 3 and pauses
    assert min(vowels) > 2 * max(stops)
    assert max(pauses) < 0.01


def test_same_text_gives_same_samples_whatever_was_said_between() -> None:
    first = synthesise(TEXT, rate=150, pitch=60)
    synthesise("Bonjour tout le monde", voice="fr+f2", rate=220)
    again = synthesise(TEXT, rate=150, pitch=60)
    np.testing.assert_array_equal(first.samples, again.samples)
    assert first.phones == again.phones


def test_threads_do_not_mix_their_speech() -> None:
    texts = ("One fish", "Two boats", "Three tall towers")
    alone = [synthesise(text).samples for text in texts]
    together: dict[int, np.ndarray] = {}

    def speak(index: int) -> None:
        together[index] = synthesise(texts[index]).samples

    threads = [threading.Thread(target=speak, args=(index,)) for index in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, samples in enumerate(alone):
        np.testing.assert_array_equal(together[index], samples)


def test_voices_sound_different() -> None:
    sounds = {voice: synthesise("museum", voice=voice).samples.tobytes() for voice in VOICES}
    assert len(set(sounds.values())) == len(VOICES)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("hello", {"voice": "klingon-9"}, "unknown voice"),
        ("hello", {"voice": "en+nobody"}, "unknown voice"),
        ("hello", {"rate": 20}, "rate 20"),
        ("hello", {"pitch": 100}, "pitch 100"),
        ("  ", {}, "empty"),
    ],
)
def test_bad_input_is_refused(text: str, options: dict, message: str) -> None:
    with pytest.raises(SpeechError, match=message):
        synthesise(text, **options)
