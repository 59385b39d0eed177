"""Speech with known phoneme times, made by espeak-ng inside this process.

espeak-ng is one global machine per process, so every call holds a lock; processes may run side by
side.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader
import numpy as np
import soxr

SAMPLE_RATE = 16_000

VOICES: tuple[str, ...] = (
    "en-us",
    "en-us+m3",
    "en-us+f2",
    "en",
    "en+f3",
    "en+m7",
    "de",
    "de+f2",
    "es",
    "es+f3",
    "fr",
    "fr+f2",
)
"""`language` or `language+variant` of espeak-ng, a choice of varied ones ('en' is British)."""

_SYNCHRONOUS = 2
_PHONEME_EVENTS_IN_IPA = 0x0001 | 0x0002
_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_RATE, _VOLUME, _PITCH = 1, 2, 3
_EVENT_END, _EVENT_PHONEME = 0, 7
_SEED = 20_240_229


class SpeechError(RuntimeError):
    """The synthesiser refused its input (voice, rate, pitch, or text without sound)."""


@dataclass(frozen=True)
class Phone:
    """One phoneme: its IPA symbol ('' is a pause) and its time in seconds from sample 0."""

    ipa: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Speech:
    """samples: float32 [n] in -1..1 at 16 kHz mono; phones: gapless, in order, within the sound."""

    samples: np.ndarray
    phones: tuple[Phone, ...]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class _Espeak:
    """The process-wide synthesiser, loaded for one utterance and unloaded after it.

    Unloaded, because its pitch flutter and its voices leave traces in global variables that
    terminating does not clear: the same text would sound a little different the second time.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._sound: list[np.ndarray] = []
        self._marks: list[tuple[int, str]] = []
        self._callback = _Callback(self._collect)
        self.rate = 0

    def __enter__(self) -> _Espeak:
        data = str(espeakng_loader.get_data_path()).encode()
        options = _PHONEME_EVENTS_IN_IPA | _DONT_EXIT
        self.rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, options))
        if self.rate <= 0:
            raise SpeechError("espeak-ng could not be started")
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
        return self

    def __exit__(self, *_: object) -> None:
        self._library.espeak_Terminate()
        unload = ctypes.CDLL(None).dlclose
        unload.argtypes = [ctypes.c_void_p]
        unload(self._library._handle)

    def _collect(self, wav: object, count: int, events: object) -> int:
        if wav and count > 0:
            self._sound.append(np.ctypeslib.as_array(wav, shape=(count,)).copy())
        index = 0
        while events[index].type != _EVENT_END:  # type: ignore[index]
            event = events[index]  # type: ignore[index]
            if event.type == _EVENT_PHONEME:
                self._marks.append((event.sample, event.id.string.decode("utf-8", "ignore")))
            index += 1
        return 0

    def speak(
        self, text: str, voice: str, rate: int, pitch: int
    ) -> tuple[np.ndarray, list[tuple[int, str]]]:
        # espeak-ng itself ignores a variant that it does not know.
        variant = voice.partition("+")[2]
        known = (
            not variant or (Path(espeakng_loader.get_data_path()) / "voices/!v" / variant).is_file()
        )
        if not known or self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SpeechError(f"unknown voice {voice!r}")
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_VOLUME, 100)):
            self._library.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode() + b"\0"
        status = self._library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded)), 0, 1, 0, _CHARS_UTF8, None, None
        )
        if status != 0:
            raise SpeechError(f"espeak-ng failed with status {status}")
        sound = np.concatenate(self._sound) if self._sound else np.zeros(0, np.int16)
        return sound, self._marks


_lock = threading.Lock()


def synthesise(text: str, *, voice: str = "en-us", rate: int = 170, pitch: int = 50) -> Speech:
    """Speak `text` (rate: words a minute, 80..450; pitch: 0..99).

    Deterministic: the same arguments give the same samples. Raises SpeechError on an unknown voice,
    numbers out of range, or text that makes no sound.
    """
    if not 80 <= rate <= 450:
        raise SpeechError(f"rate {rate} is not within 80..450 words a minute")
    if not 0 <= pitch <= 99:
        raise SpeechError(f"pitch {pitch} is not within 0..99")
    if not text.strip():
        raise SpeechError("text is empty")
    with _lock, _Espeak() as machine:
        sound, marks = machine.speak(text, voice, rate, pitch)
        source_rate = machine.rate
    if len(sound) == 0:
        raise SpeechError(f"text {text!r} makes no sound")
    samples = soxr.resample(sound.astype(np.float32) / 32768.0, source_rate, SAMPLE_RATE)
    samples = np.clip(samples, -1.0, 1.0).astype(np.float32)
    return Speech(samples, _phones(marks, source_rate, len(samples) / SAMPLE_RATE))


def _phones(marks: list[tuple[int, str]], rate: int, duration_s: float) -> tuple[Phone, ...]:
    """Marks say where a phoneme begins; it lasts until the next one, or until the sound is over."""
    starts = [min(sample / rate, duration_s) for sample, _ in marks] + [duration_s]
    return tuple(
        Phone(_symbol(name), start, end)
        for (_, name), start, end in zip(marks, starts[:-1], starts[1:], strict=True)
        if end > start
    )


def _symbol(name: str) -> str:
    """Without stress and syllable marks; pauses (`_`, `_:`) become ''."""
    return name.strip("ˈˌ_:| ").replace("ˈ", "").replace("ˌ", "")
