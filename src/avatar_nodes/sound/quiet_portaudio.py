"""Keeps what PortAudio is made of from complaining about every device that is not there."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_ALSA, _JACK = "libasound.so.2", "libjack.so.0"


@ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)
def _alsa_says(file: bytes, line: int, function: bytes, code: int, form: bytes) -> None:
    """Nothing: what matters comes as an error of PortAudio, too."""


@ctypes.CFUNCTYPE(None, ctypes.c_char_p)
def _jack_says(line: bytes) -> None:
    """Nothing: see above."""


def quieten() -> None:
    """From now on ALSA and JACK write nothing to stderr, in this process; each time that PortAudio
    looks for devices it would be sixty lines and more."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(_ALSA).snd_lib_error_set_handler(_alsa_says)
    with suppress(OSError, AttributeError):
        jack = ctypes.CDLL(_JACK)
        jack.jack_set_error_function(_jack_says)
        jack.jack_set_info_function(_jack_says)
