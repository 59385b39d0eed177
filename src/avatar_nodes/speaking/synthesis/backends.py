"""The synthesisers by name."""

from __future__ import annotations

import os
import pkgutil
from pathlib import Path

from avatar_nodes.speaking.settings import VoiceSettings
from avatar_nodes.speaking.synthesis.espeak import EspeakSynthesiser
from avatar_nodes.speaking.synthesis.http import HttpSynthesiser
from avatar_nodes.speaking.synthesis.kokoro import STORED, KokoroSynthesiser
from avatar_nodes.speaking.synthesis.piper import PiperSynthesiser
from avatar_nodes.speaking.synthesis.synthesiser import Synthesiser, SynthesisError
from avatar_nodes.store.store import ModelStore

_WORDS_A_MINUTE = 170


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
        return KokoroSynthesiser(
            folder=_stored(STORED),
            voice=settings.voice,
            speed=settings.speed,
            volume=settings.volume,
            threads=settings.threads,
            sample_rate=settings.sample_rate,
        )
    if settings.backend == "piper":
        return PiperSynthesiser(
            voice_file=_piper_voice(settings.voice),
            speaker=settings.speaker,
            speed=settings.speed,
            volume=settings.volume,
            sample_rate=settings.sample_rate,
        )
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
