import numpy as np
import pytest

from avatar_nodes.world.sentences import sentences
from avatar_nodes.world.speech import Phone, Speech, synthesise
from avatar_nodes.world.visemes import FRAME_RATE, VISEMES, articulation, lip_track, viseme


def test_mouth_is_closed_without_speech() -> None:
    track = lip_track(None, 30)
    assert track.aperture.shape == (30,)
    assert not track.aperture.any()


def test_mouth_closes_in_pauses_and_after_the_end() -> None:
    speech = synthesise("Hello. My friend.")
    track = lip_track(speech, int(speech.duration_s * FRAME_RATE) + 12)
    assert track.aperture[-8:].max() < 1e-3
    pause = next(p for p in speech.phones if not p.ipa and p.end_s - p.start_s > 0.2)
    assert track.aperture[int(pause.end_s * FRAME_RATE) - 1] < 0.01


@pytest.mark.parametrize("bilabial", ["m", "b", "p"])
def test_a_short_bilabial_between_open_vowels_closes_fully(bilabial: str) -> None:
    phones = (Phone("ɑː", 0.0, 0.24), Phone(bilabial, 0.24, 0.30), Phone("ɑː", 0.30, 0.5))
    track = lip_track(Speech(np.full(8000, 0.1, np.float32), phones), 12)
    assert track.aperture[5] > 0.9 and track.aperture[11] > 0.9
    assert track.aperture[6:8].min() == 0.0


def test_no_frame_knows_the_sound_after_it() -> None:
    speech = synthesise("Maybe the boat will move away.")
    whole = lip_track(speech, 40)
    for last in (7, 16, 25):
        end_s = (last + 1) / FRAME_RATE
        heard = tuple(
            Phone(p.ipa, p.start_s, min(p.end_s, end_s)) for p in speech.phones if p.start_s < end_s
        )
        part = lip_track(Speech(speech.samples, heard), last + 1)
        np.testing.assert_array_equal(part.aperture, whole.aperture[: last + 1])
        np.testing.assert_array_equal(part.width, whole.width[: last + 1])


def test_vowels_open_wide_round_or_broad() -> None:
    assert viseme("ɑː").aperture > 0.8 > viseme("iː").aperture
    assert viseme("uː").rounding > 0.8 and viseme("iː").width > 0.8
    assert viseme("").aperture == 0.0 and viseme("m").aperture < 0.0


def test_every_sound_of_the_sentences_has_a_viseme_of_its_own() -> None:
    """The fallback is for surprises; the languages of the world are covered symbol by symbol."""
    samples = {
        language: [s for s in sentences("train") if s.language == language][:12]
        for language in ("en", "de", "es", "fr")
    }
    missing = set()
    for language, chosen in samples.items():
        for sentence in chosen:
            for phone in synthesise(
                sentence.text, voice={"en": "en-us"}.get(language, language)
            ).phones:
                plain = phone.ipa.replace("ː", "").replace("-", "")
                if plain and not any(plain.startswith(symbol) for symbol in VISEMES):
                    missing.add(phone.ipa)
    assert not missing


def test_lips_press_for_p_and_bite_for_f_and_only_then() -> None:
    speech = synthesise("Papa may buy five of them.")
    detail = articulation(speech, 60)
    for ipa, track in (("p", detail.press), ("f", detail.bite)):
        phone = next(phone for phone in speech.phones if phone.ipa == ipa)
        at = int((phone.end_s) * FRAME_RATE)
        assert track[max(0, at - 1) : at + 2].max() > 0.5, ipa
    assert articulation(None, 10).press.max() == 0.0
    open_ = next(phone for phone in speech.phones if phone.ipa.startswith("aɪ"))
    middle = int((open_.start_s + open_.end_s) / 2 * FRAME_RATE)
    assert detail.press[middle] < 0.25
