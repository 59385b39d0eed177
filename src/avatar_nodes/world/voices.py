"""The voices of the clips, of many synthesisers, and which of them training never hears."""

from __future__ import annotations

import numpy as np
import soxr

from avatar_nodes.speaking.synthesis.espeak_library import SpeechError
from avatar_nodes.world.alignment import aligned
from avatar_nodes.world.command_voices import speak_with_festival, speak_with_flite
from avatar_nodes.world.kokoro_voice import speak_with_kokoro
from avatar_nodes.world.speech import Speech, synthesise

VOICES = {
    "en": (
        "en-us", "en-gb-x-rp", "en-us+f3", "en-us+m3", "en-gb-x-rp+f2", "en-us+m7", "en-us+f1",
        "en-us+m1", "en-gb-x-rp+m4",
    ),
    "de": ("de", "de+f2", "de+m4"),
    "es": ("es", "es+f3", "es+m1"),
    "fr": ("fr", "fr+m2", "fr+f1"),
}  # fmt: skip
"""espeak-ng voices of each language; identities and sentences of the splits never mix."""

UNHEARD_VOICES = {
    "en": ("en-gb-scotland+m5", "en-029+f4", "en-us-nyc+m8", "en-gb-x-gbclan+f5"),
    "de": ("de+f5",),
    "es": ("es-419+m5",),
    "fr": ("fr-be+m8",),
}
"""Other accents in other timbres, used only in clips made with `unheard_voice`."""

OTHER_VOICES = {
    "en": (
        "kokoro:af_heart", "kokoro:af_bella", "kokoro:am_michael", "kokoro:am_puck",
        "kokoro:bf_emma", "flite:slt", "flite:rms", "flite:awb", "flite:kal16",
    ),
    "es": ("kokoro:ef_dora", "kokoro:em_alex"),
    "fr": ("kokoro:ff_siwis",),
}  # fmt: skip
"""Voices of other synthesisers, as `synthesiser:voice`."""

UNHEARD_OTHERS = {"en": ("piper:piper-joe", "festival:ked_diphone", "kokoro:bm_george")}
"""Two synthesisers and a speaker that no training clip has."""

_USUAL_RATE = 165
"""Words a minute at which the other synthesisers speak by themselves."""
_USUAL_PITCH_HZ = {"slt": 180.0, "rms": 100.0, "awb": 130.0, "kal16": 105.0}


def say(text: str, *, voice: str, rate: int, pitch: int, sample_rate: int) -> Speech:
    """A sentence by any of the voices here.

    Args:
        rate: words a minute. pitch: 0..99, 50 is the voice's own; Kokoro, Piper and Festival keep
            their own.

    Raises:
        SpeechError: the synthesiser is not there; the message says how to bring it.
        SynthesisError: its model does not load.
    """
    synthesiser, _, name = voice.rpartition(":")
    if not synthesiser:
        return synthesise(text, voice=name, rate=rate, pitch=pitch, sample_rate=sample_rate)
    speed = rate / _USUAL_RATE
    if synthesiser == "kokoro":
        spoken = speak_with_kokoro(text, voice=name, speed=speed)
    elif synthesiser == "flite":
        usual = _USUAL_PITCH_HZ[name]
        pitch_hz = usual * 2.0 ** ((pitch - 50) / 100)
        spoken = speak_with_flite(text, voice=name, stretch=1.0 / speed, pitch_hz=pitch_hz)
    elif synthesiser == "festival":
        spoken = speak_with_festival(text, voice=name, stretch=1.0 / speed)
    elif synthesiser == "piper":
        spoken = _by_piper(text, name, speed)
    else:
        raise SpeechError(f"unknown synthesiser {synthesiser!r} of voice {voice!r}")
    return _resampled(spoken, sample_rate)


def _by_piper(text: str, name: str, speed: float) -> Speech:
    from avatar_nodes.sound.audio_file import GRAPH_RATE, float_from_pcm
    from avatar_nodes.speaking.settings import VoiceSettings
    from avatar_nodes.speaking.synthesis.backends import build_synthesiser

    piper = build_synthesiser(VoiceSettings(backend="piper", voice=name, speed=speed))
    sound = float_from_pcm(np.concatenate(list(piper.synthesise(text))))
    return aligned(sound, text, sample_rate=GRAPH_RATE)


def _resampled(speech: Speech, sample_rate: int) -> Speech:
    """The same at another rate; times stay."""
    samples = soxr.resample(speech.samples, speech.sample_rate, sample_rate).astype(np.float32)
    return Speech(np.clip(samples, -1.0, 1.0), speech.phones, sample_rate)
