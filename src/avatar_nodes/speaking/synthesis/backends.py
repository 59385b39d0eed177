"""The synthesisers by name."""

from __future__ import annotations

import os
import pkgutil
from pathlib import Path

from avatar_nodes.speaking.settings import VoiceSettings
from avatar_nodes.speaking.synthesis.cached_synthesiser import CachedSynthesiser
from avatar_nodes.speaking.synthesis.espeak import EspeakSynthesiser
from avatar_nodes.speaking.synthesis.http import HttpSynthesiser
from avatar_nodes.speaking.synthesis.kokoro import STORED, KokoroSynthesiser
from avatar_nodes.speaking.synthesis.piper import PiperSynthesiser
from avatar_nodes.speaking.synthesis.speech_cache import SpeechCache
from avatar_nodes.speaking.synthesis.synthesiser import Synthesiser, SynthesisError
from avatar_nodes.store.store import ModelStore, user_cache

_WORDS_A_MINUTE = 170
_SOUND = 1
"""Another number: what was kept of Kokoro or Piper before is not used any more."""


def build_synthesiser(settings: VoiceSettings) -> Synthesiser:
    """The synthesiser that `settings` describe.

    Raises:
        SynthesisError: it cannot be used; one line with the reason.
    """
    if settings.backend == "espeak":
        return EspeakSynthesiser(
            voice=settings.voice,
            rate=round(_WORDS_A_MINUTE * settings.speed),
            pitch=settings.pitch,
            volume=round(100 * settings.volume),
            sample_rate=settings.sample_rate,
        )
    if settings.backend == "kokoro":
        folder = _stored(STORED)
        kokoro = KokoroSynthesiser(
            folder=folder,
            voice=settings.voice,
            speed=settings.speed,
            volume=settings.volume,
            threads=settings.threads,
            sample_rate=settings.sample_rate,
        )
        return _cached(kokoro, settings, folder.name)
    if settings.backend == "piper":
        voice_file = _piper_voice(settings.voice)
        piper = PiperSynthesiser(
            voice_file=voice_file,
            speaker=settings.speaker,
            speed=settings.speed,
            volume=settings.volume,
            sample_rate=settings.sample_rate,
        )
        return _cached(piper, settings, f"{voice_file} {voice_file.stat().st_mtime_ns}")
    if settings.backend == "own":
        return _own(settings.synthesiser)(sample_rate=settings.sample_rate)
    return HttpSynthesiser(
        url=settings.base_url,
        voice=settings.voice,
        model=settings.model,
        speed=settings.speed,
        api_key=_api_key(settings.api_key_env),
        response_format=settings.response_format,
        timeout_s=settings.timeout_s,
        sample_rate=settings.sample_rate,
    )


def _cached(voice: Synthesiser, settings: VoiceSettings, model: str) -> Synthesiser:
    """The voice that says the persona's sentences without being asked, if any are to be kept.

    Args:
        model: what its sound depends on beside the settings.
    """
    if not settings.kept_mb:
        return voice
    said_by = (
        f"{_SOUND} {voice.name} {model} {settings.voice} {settings.speaker} {settings.speed}"
        f" {settings.volume}"
    )
    return CachedSynthesiser(
        voice,
        SpeechCache(user_cache() / "speech", said_by, most_bytes=settings.kept_mb * 1_000_000),
    )


def _own(name: str) -> type[Synthesiser]:
    """The class `module:Class`."""
    try:
        found = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SynthesisError(f"synthesiser {name!r}: {error}") from None
    if not (isinstance(found, type) and issubclass(found, Synthesiser)):
        raise SynthesisError(f"synthesiser {name!r}: expected a subclass of Synthesiser")
    return found


def _piper_voice(voice: str) -> Path:
    """The file that `voice` is, or that the store has under that name."""
    if voice not in ModelStore().catalogue:
        return Path(voice)
    return next(_stored(voice).glob("*.onnx"))


def _stored(model: str) -> Path:
    store = ModelStore()
    if (found := store.find(model)) is None:
        raise SynthesisError(store.lack(model))
    return found


def _api_key(variable: str) -> str:
    if not variable:
        return ""
    key = os.environ.get(variable, "")
    if not key:
        raise SynthesisError(f"http: the environment variable {variable} holds no key")
    return key
