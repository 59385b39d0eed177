"""The synthesisers by name."""

from __future__ import annotations

import os
from dataclasses import dataclass

from avatar_nodes.sound.audio_file import GRAPH_RATE
from avatar_nodes.speaking.synthesis.espeak import EspeakSynthesiser
from avatar_nodes.speaking.synthesis.http import HttpSynthesiser
from avatar_nodes.speaking.synthesis.piper import PiperSynthesiser
from avatar_nodes.speaking.synthesis.synthesiser import Synthesiser, SynthesisError

BACKENDS = ("espeak", "http", "piper")

_WORDS_A_MINUTE = 170


@dataclass(frozen=True)
class VoiceOptions:
    """What a voice is chosen by; each backend takes what it understands."""

    backend: str = "espeak"
    """One of BACKENDS."""
    voice: str = "en-us"
    """espeak: language and variant (`en-us+f3`); http: as the server names it; piper: the file."""
    speed: float = 1.0
    """1.0 is natural (espeak: 170 words a minute)."""
    pitch: int = 50
    """espeak only, 0..99."""
    volume: float = 1.0
    """espeak and piper, 0..2."""
    speaker: int = -1
    """piper only: number of the speaker; negative: the voice's own choice."""
    base_url: str = ""
    """http only."""
    model: str = ""
    """http only: as the server names it."""
    api_key_env: str = ""
    """http only: name of the environment variable that holds the key; empty: none is needed."""
    response_format: str = "wav"
    """http only: wav or pcm."""
    timeout_s: float = 5.0
    """http only."""
    sample_rate: int = GRAPH_RATE


def build_synthesiser(options: VoiceOptions) -> Synthesiser:
    """The synthesiser that `options` describe.

    Raises:
        SynthesisError: it cannot be used; one line with the reason.
    """
    if options.backend == "espeak":
        return EspeakSynthesiser(
            voice=options.voice,
            rate=round(_WORDS_A_MINUTE * options.speed),
            pitch=options.pitch,
            volume=round(100 * options.volume),
            sample_rate=options.sample_rate,
        )
    if options.backend == "piper":
        return PiperSynthesiser(
            voice_file=options.voice,
            speaker=options.speaker,
            speed=options.speed,
            volume=options.volume,
            sample_rate=options.sample_rate,
        )
    if options.backend == "http":
        return HttpSynthesiser(
            url=options.base_url,
            voice=options.voice,
            model=options.model,
            speed=options.speed,
            api_key=_api_key(options.api_key_env),
            response_format=options.response_format,
            timeout_s=options.timeout_s,
            sample_rate=options.sample_rate,
        )
    raise SynthesisError(f"voice backend {options.backend!r}: expected {', '.join(BACKENDS)}")


def _api_key(variable: str) -> str:
    if not variable:
        return ""
    key = os.environ.get(variable, "")
    if not key:
        raise SynthesisError(f"http: the environment variable {variable} holds no key")
    return key
