"""espeak-ng inside this process, through its C interface: one machine, which all threads share.

It is loaded for one utterance and unloaded after it, because its pitch flutter and its voices leave
traces in global variables that terminating does not clear: the same text would sound a little
different the second time. Loading and unloading take about 3 ms.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import espeakng_loader
import numpy as np

from avatar_nodes.errors.configuration_error import ConfigurationError

RATES = (80, 450)
"""Slowest and fastest speech [words a minute]."""
PITCHES = (0, 99)
VOLUMES = (0, 200)
"""100 is espeak-ng's own."""

OnSound = Callable[[np.ndarray, Sequence[tuple[int, str]]], bool]
"""Takes samples (int16 [n], perhaps none) and phoneme marks (sample, IPA) as they are made; false:
no more is wanted."""

_SYNCHRONOUS = 2
_PHONEME_EVENTS_IN_IPA = 0x0001 | 0x0002
_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_RATE, _VOLUME, _PITCH = 1, 2, 3
_EVENT_END, _EVENT_PHONEME = 0, 7
_GO_ON, _STOP = 0, 1
_SEED = 20_240_229
_IPA, _TIED = 0x02, 0x80
TIE = "^"
"""Stands between the two letters of one phoneme (`a^ɪ`)."""


class SpeechError(ConfigurationError):
    """The synthesiser refused its input (voice, rate, pitch, or text without sound)."""


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
_machine = threading.Lock()


class Espeak:
    """The process-wide synthesiser, for one utterance: a context manager that waits for its turn.

    Args:
        on_sound: called while `speak` runs, on the same thread; it must not wait for another
            utterance.
    """

    def __init__(self, on_sound: OnSound) -> None:
        self._on_sound = on_sound
        self._callback = _Callback(self._take)
        self._raised: BaseException | None = None
        self.rate = 0
        """Samples per second of what it makes, once entered."""

    def __enter__(self) -> Espeak:
        _machine.acquire()
        try:
            self._library = ctypes.CDLL(espeakng_loader.get_library_path())
            data = str(espeakng_loader.get_data_path()).encode()
            options = _PHONEME_EVENTS_IN_IPA | _DONT_EXIT
            self.rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, options))
            if self.rate <= 0:
                raise SpeechError("espeak-ng could not be started")
            self._library.espeak_SetSynthCallback(self._callback)
            self._library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
        except BaseException:
            _machine.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process = ctypes.CDLL(None)
        try:
            # The list that finding a voice makes, 2 KB; terminating does not free it.
            self._library.espeak_ListVoices.restype = ctypes.c_void_p
            process.free(ctypes.c_void_p(self._library.espeak_ListVoices(None)))
            self._library.espeak_Terminate()
            unload = process.dlclose
            unload.argtypes = [ctypes.c_void_p]
            unload(self._library._handle)
        finally:
            _machine.release()

    def knows(self, voice: str) -> bool:
        """Whether there is a voice `language` or `language+variant` (`de`, `en-us+f3`)."""
        # espeak-ng itself ignores a variant that it does not know.
        variant = voice.partition("+")[2]
        folder = Path(espeakng_loader.get_data_path()) / "voices/!v"
        if variant and not (folder / variant).is_file():
            return False
        return bool(self._library.espeak_SetVoiceByName(voice.encode()) == 0)

    def speak(self, text: str, *, voice: str, rate: int, pitch: int, volume: int = 100) -> None:
        """Say `text`; returns when all of it was handed over, or as soon as no more is wanted.

        Raises:
            SpeechError: an unknown voice, a number out of range, or a failure of espeak-ng.
        """
        check_numbers(rate, pitch, volume)
        if not self.knows(voice):
            raise SpeechError(f"unknown voice {voice!r}")
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_VOLUME, volume)):
            self._library.espeak_SetParameter(parameter, value, 0)
        encoded = text.replace("\0", " ").encode("utf-8", "replace") + b"\0"
        status = self._library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded)), 0, 1, 0, _CHARS_UTF8, None, None
        )
        if self._raised is not None:
            raise self._raised
        if status != 0:
            raise SpeechError(f"espeak-ng failed with status {status}")

    def phonemes(self, text: str, *, voice: str) -> str:
        """How `text` sounds, in IPA with stress marks and TIE; punctuation is lost.

        Raises:
            SpeechError: an unknown voice.
        """
        if not self.knows(voice):
            raise SpeechError(f"unknown voice {voice!r}")
        translate = self._library.espeak_TextToPhonemes
        translate.restype = ctypes.c_char_p
        encoded = ctypes.create_string_buffer(text.replace("\0", " ").encode("utf-8", "replace"))
        place = ctypes.c_void_p(ctypes.addressof(encoded))
        mode = _IPA | _TIED | ord(TIE) << 8
        clauses = []
        while place.value is not None:
            clause = translate(ctypes.byref(place), _CHARS_UTF8, mode)
            clauses.append((clause or b"").decode("utf-8", "ignore").strip())
        return " ".join(filter(None, clauses))

    def _take(self, wav: object, count: int, events: object) -> int:
        """espeak-ng's callback: no exception may pass through it."""
        try:
            return _GO_ON if self._hand_over(wav, count, events) else _STOP
        except BaseException as error:
            self._raised = error
            return _STOP

    def _hand_over(self, wav: object, count: int, events: object) -> bool:
        sound = np.zeros(0, np.int16)
        if wav and count > 0:
            sound = np.ctypeslib.as_array(wav, shape=(count,)).copy()
        marks: list[tuple[int, str]] = []
        index = 0
        while events[index].type != _EVENT_END:  # type: ignore[index]
            event = events[index]  # type: ignore[index]
            if event.type == _EVENT_PHONEME:
                marks.append((event.sample, event.id.string.decode("utf-8", "ignore")))
            index += 1
        return self._on_sound(sound, marks)


def check_numbers(rate: int, pitch: int, volume: int = 100) -> None:
    """Raises SpeechError: a number out of range."""
    for name, value, (lowest, highest), unit in (
        ("rate", rate, RATES, " words a minute"),
        ("pitch", pitch, PITCHES, ""),
        ("volume", volume, VOLUMES, ""),
    ):
        if not lowest <= value <= highest:
            raise SpeechError(f"{name} {value} is not within {lowest}..{highest}{unit}")
