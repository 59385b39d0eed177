"""Voices of other synthesisers, with the times of what they say."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.models import real_model

from avatar_nodes.speaking.synthesis.espeak_library import SpeechError
from avatar_nodes.speaking.synthesis.kokoro_model import KokoroModel
from avatar_nodes.world import kokoro_voice
from avatar_nodes.world.alignment import AlignmentError, aligned
from avatar_nodes.world.arpabet import ipa_of
from avatar_nodes.world.kokoro_voice import phones_of
from avatar_nodes.world.speech import Phone, Speech, synthesise
from avatar_nodes.world.visemes import lip_track
from avatar_nodes.world.voices import OTHER_VOICES, UNHEARD_OTHERS, say

TEXT = "Good morning, my friend, please bring the paper bag to Mary."
RATE = 16_000


def spoken(voice: str, text: str = TEXT, *, rate: int = 165) -> Speech:
    return say(text, voice=voice, rate=rate, pitch=50, sample_rate=RATE)


def likeness(one: Speech, other: Speech) -> float:
    """Correlation of the lips' opening."""
    frames = int(one.duration_s * 25)
    tracks = lip_track(one, frames).aperture, lip_track(other, frames).aperture
    return float(np.corrcoef(*tracks)[0, 1])


def check_times(speech: Speech) -> None:
    assert speech.sample_rate == RATE and speech.samples.dtype == np.float32
    assert 2.0 < speech.duration_s < 6.0
    assert np.abs(speech.samples).max() <= 1.0
    for before, after in zip(speech.phones, speech.phones[1:], strict=False):
        assert before.start_s < before.end_s <= after.start_s + 1e-6
    assert speech.phones[-1].end_s <= speech.duration_s + 1e-6
    lips = [phone.ipa for phone in speech.phones if phone.ipa in "mbp" and phone.ipa]
    assert lips == list("mmpbppbm") or lips == list("mmpbpbm"), "m, b and p of the text"


def test_a_known_text_is_found_in_its_sound() -> None:
    """espeak-ng tells its own times."""
    said = synthesise(TEXT, voice="en-us+f3", rate=150)
    found = aligned(said.samples, TEXT, sample_rate=said.sample_rate)
    assert np.array_equal(found.samples, said.samples)
    own = [phone.start_s for phone in said.phones if phone.ipa in ("m", "b", "p")]
    also = [phone.start_s for phone in found.phones if phone.ipa in ("m", "b", "p")]
    assert len(own) == len(also)
    assert np.median(np.abs(np.subtract(own, also))) < 0.06
    assert likeness(said, found) > 0.45


def test_alignment_at_another_rate_and_with_silence_around() -> None:
    text = "Mary brought the blue paper to my room."
    said = synthesise(text, voice="en-us+f3", sample_rate=44_100)
    quiet = np.zeros(44_100, np.float32)
    sound = np.concatenate([quiet, said.samples, quiet])
    found = aligned(sound, text, sample_rate=44_100)
    first = next(phone for phone in found.phones if phone.ipa)
    assert first.ipa == "m" and first.start_s == pytest.approx(1.0, abs=0.12)
    assert lip_track(found, 24).aperture.max() == 0.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no words"), ("42 !?", "has no words"),
        ("Good morning Xyzzyq", "no pronunciation is known of xyzzyq"),
        (TEXT * 4, "the sound is not of"),
    ],
)  # fmt: skip
def test_what_cannot_be_aligned_is_said(text: str, said: str) -> None:
    with pytest.raises(AlignmentError, match=said):
        aligned(synthesise("Hello.").samples, text, sample_rate=RATE)


def test_phones_of_dictionaries_are_ipa() -> None:
    assert [ipa_of(phone) for phone in ("HH", "ah0", "L", "OW1", "pau", "SIL")] == [
        "h", "ʌ", "l", "oʊ", "", "",
    ]  # fmt: skip
    with pytest.raises(KeyError):
        ipa_of("qq")


def test_lengths_of_kokoro_s_letters_become_phones() -> None:
    """`həlˈO.`: the mark of stress belongs to the vowel, the sentence's mark is a pause."""
    lengths = np.array([0.265, 0.1, 0.05, 0.1, 0.05, 0.2, 0.3, 0.1])
    phones = phones_of("həlˈO.", lengths, 0.9)
    assert [phone.ipa for phone in phones] == ["", "h", "ə", "l", "oʊ", ""]
    starts = [phone.start_s for phone in phones]
    assert starts == pytest.approx([0.0, 0.2, 0.3, 0.35, 0.45, 0.7])
    assert phones[-1].end_s == 0.9
    long = phones_of("iː", np.array([0.065, 0.1, 0.2, 0.1]), 1.0)
    assert long == (Phone("i", 0.0, pytest.approx(0.3)),)


@pytest.mark.parametrize("voice", ["flite:slt", "flite:awb", "flite:rms", "flite:kal16"])
def test_flite_tells_its_times(voice: str) -> None:
    if shutil.which("flite") is None:
        pytest.skip("no flite here: apt-get install flite")
    said = spoken(voice)
    check_times(said)
    assert likeness(said, aligned(said.samples, TEXT, sample_rate=RATE)) > 0.7
    slow = spoken(voice, rate=120)
    assert slow.duration_s > 1.2 * said.duration_s


def test_festival_is_aligned() -> None:
    if shutil.which("text2wave") is None:
        pytest.skip("no Festival here: apt-get install festival festvox-kdlpc16k")
    check_times(spoken("festival:ked_diphone"))


def test_kokoro_s_lips_follow_what_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx", reason="no onnx here: it comes with the training extra")
    model = KokoroModel(real_model("kokoro"), timed=True)
    monkeypatch.setattr(kokoro_voice, "_model", lambda: model)
    for voice in ("kokoro:af_heart", "kokoro:bm_george"):
        said = spoken(voice)
        check_times(said)
        assert likeness(said, aligned(said.samples, TEXT, sample_rate=RATE)) > 0.7


def test_a_synthesiser_that_is_not_there_says_how_to_bring_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SpeechError, match="flite is not installed: apt-get install flite"):
        spoken("flite:slt")
    with pytest.raises(SpeechError, match="unknown synthesiser 'nobody'"):
        spoken("nobody:him")


def test_no_training_clip_has_the_voices_that_are_held_out() -> None:
    heard = {voice for voices in OTHER_VOICES.values() for voice in voices}
    held_out = {voice for voices in UNHEARD_OTHERS.values() for voice in voices}
    assert not heard & held_out
    synthesisers = {voice.partition(":")[0] for voice in heard}
    assert {voice.partition(":")[0] for voice in held_out} - synthesisers == {"piper", "festival"}
