"""Speaks with Kokoro's neural voices, whose model tells how long each phoneme lasts."""

from __future__ import annotations

from functools import cache

import numpy as np

from avatar_nodes.speaking.synthesis.espeak_library import SpeechError
from avatar_nodes.speaking.synthesis.kokoro_model import LANGUAGES, RATE, KokoroModel
from avatar_nodes.speaking.synthesis.kokoro_phonemes import clause_phonemes, known_phonemes
from avatar_nodes.store.store import ModelStore
from avatar_nodes.world.speech import Phone, Speech

_IPA = {
    "A": "eɪ", "I": "aɪ", "W": "aʊ", "O": "oʊ", "Q": "əʊ", "Y": "ɔɪ", "ʣ": "z", "ʤ": "dʒ",
    "ʦ": "ts", "ʧ": "tʃ", "ᵊ": "ə", "T": "ɾ",
}  # fmt: skip
_SILENT = frozenset(' ;:,.!?…—"()“”')
_MARKS = frozenset("ˈˌ")
_EARLY_S = 0.065
"""The sound of a phoneme comes so much before the end of those before it: the mean over sentences
of five voices whose phones were found by alignment, too."""
_STILL = 0.01


def speak_with_kokoro(text: str, *, voice: str, speed: float) -> Speech:
    """One sentence at 24 kHz; needs the model in the store and the package onnx.

    Not deterministic to the last bit: the model draws the noise of the breath anew.

    Raises:
        SpeechError: the model is not there (the message says how to bring it).
        SynthesisError: it does not load.
    """
    model = _model()
    phonemes = known_phonemes(clause_phonemes(text, LANGUAGES[voice[0]]))
    sound, lengths = model.sound(phonemes, voice, speed=speed)
    sound = np.clip(sound, -1.0, 1.0)
    loud = np.flatnonzero(np.abs(sound) > _STILL)
    over = float(loud[-1] + 1) / RATE if len(loud) else 0.0
    return Speech(sound, phones_of(phonemes, lengths, over), RATE)


def phones_of(phonemes: str, lengths: np.ndarray, over_s: float) -> tuple[Phone, ...]:
    """Kokoro's letters with their lengths in seconds, of which the first and the last are silence.

    over_s: when the voice falls silent; no phone lasts longer. A mark of stress is a part of the
    vowel after it, the mark of length of the one before it.
    """
    ends = np.clip(np.cumsum(lengths) - _EARLY_S, 0.0, over_s)
    phones = [Phone("", 0.0, float(ends[0]))]
    begun = float(ends[0])
    for letter, end in zip(phonemes, ends[1:-1].tolist(), strict=True):
        if letter in _MARKS:
            continue
        if letter == "ː" and phones[-1].ipa:
            phones[-1] = Phone(phones[-1].ipa, phones[-1].start_s, end)
        else:
            ipa = "" if letter in _SILENT else _IPA.get(letter, letter)
            phones.append(Phone(ipa, begun, end))
        begun = end
    return tuple(phone for phone in phones if phone.end_s > phone.start_s)


@cache
def _model() -> KokoroModel:
    store = ModelStore()
    if (folder := store.find("kokoro")) is None:
        raise SpeechError(store.lack("kokoro"))
    return KokoroModel(folder, timed=True)
