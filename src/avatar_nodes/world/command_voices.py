"""Speaks by commands: flite, which tells the times of its phones, and Festival."""

from __future__ import annotations

import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

import soundfile

from avatar_nodes.speaking.synthesis.espeak_library import SpeechError
from avatar_nodes.world.alignment import aligned
from avatar_nodes.world.arpabet import ipa_of
from avatar_nodes.world.speech import Phone, Speech

_PATIENCE_S = 60.0


def speak_with_flite(text: str, *, voice: str, stretch: float, pitch_hz: float | None) -> Speech:
    """English by flite.

    Args:
        voice: kal, kal16, awb, rms or slt. stretch: length of what is said, 1.0 is the voice's own.
        pitch_hz: the mean of its melody; None is the voice's own.

    Raises:
        SpeechError: flite is not installed, or does not know the voice.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:.3f}"]
        if pitch_hz is not None:
            command += ["--setf", f"int_f0_target_mean={pitch_hz:.1f}"]
        said = _run([*command, "-psdur", "-t", text, "-o", str(path)])
        samples, rate = soundfile.read(path, dtype="float32")
    ends = [("", 0.0)]
    for mark in said.split():
        name, _, end = mark.rpartition(":")
        ends.append((ipa_of(name), min(float(end), len(samples) / rate)))
    phones = tuple(
        Phone(ipa, before, end) for (_, before), (ipa, end) in pairwise(ends) if end > before
    )
    return Speech(samples, phones, rate)


def speak_with_festival(text: str, *, voice: str, stretch: float) -> Speech:
    """English by Festival, aligned; `voice` as Festival calls it (`ked_diphone`).

    Raises:
        SpeechError: Festival is not installed, or does not know the voice.
        AlignmentError: the text has words of which no pronunciation is known.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        orders = f"(begin (voice_{voice}) (Parameter.set 'Duration_Stretch {stretch:.3f}))"
        _run(["text2wave", "-eval", orders, "-o", str(path)], said=text)
        samples, rate = soundfile.read(path, dtype="float32")
    return aligned(samples, text, sample_rate=rate)


def _run(command: list[str], *, said: str = "") -> str:
    name = command[0]
    try:
        done = subprocess.run(
            command, input=said, capture_output=True, text=True, timeout=_PATIENCE_S, check=True
        )
    except FileNotFoundError as error:
        package = {"text2wave": "festival"}.get(name, name)
        raise SpeechError(f"{name} is not installed: apt-get install {package}") from error
    except subprocess.SubprocessError as error:
        raise SpeechError(f"{name}: {error}") from error
    return done.stdout
