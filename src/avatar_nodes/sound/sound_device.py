"""A sound device through PyAudio that may be unplugged and plugged in again."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.sound.quiet_portaudio import quieten

Direction = Literal["input", "output"]

PERIOD_S = 0.02
_LOOK_S = 0.1
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_STUCK_S = 3.0
_CHANNELS = {"input": "maxInputChannels", "output": "maxOutputChannels"}


class SoundDeviceError(ConfigurationError):
    """A sound device that cannot be used; one line with the reason and what to do."""


class Opened(NamedTuple):
    """A running PyAudio stream and what it runs at."""

    stream: Any
    rate: int
    channels: int


Callback = Callable[[bytes, int, Mapping[str, float]], bytes | None]
"""Takes what was captured, how many frames, and PortAudio's times; returns what is to be played."""


class SoundDevice:
    """Keeps a stream open: when the device goes, it is looked for again, with growing pauses.

    Args:
        name: part of the device's name as PortAudio lists it, or its number; empty: the default.
        sample_rate: opened at this rate and one channel where the device allows it, else at its
            own.
        make_callback: makes what is called on PortAudio's thread, for a rate and channels.
        while_gone: called about ten times a second, with the seconds since, while there is none.

    Raises:
        SoundDeviceError: PyAudio or PortAudio is missing, there is no such device, or it does not
            open.
    """

    def __init__(
        self,
        direction: Direction,
        name: str,
        *,
        sample_rate: int,
        make_callback: Callable[[int, int], Callback],
        while_gone: Callable[[float], None],
    ) -> None:
        self._direction, self._name, self._rate = direction, name, sample_rate
        self._make_callback, self._while_gone = make_callback, while_gone
        self._pyaudio = import_pyaudio()
        self._alive_at = time.monotonic()
        self.reopened = 0
        """How often it came back."""
        self.problem = ""
        """What is wrong, in one line; empty: nothing."""
        self._audio, self._opened = self._connect()
        self._closing = threading.Event()
        self._watching = threading.Thread(
            target=self._watch, name=f"sound {direction}", daemon=True
        )
        self._watching.start()

    def close(self) -> None:
        """Stop the stream and release the device."""
        self._closing.set()
        self._watching.join()
        self._disconnect()

    def _connect(self) -> tuple[Any, Opened]:
        # PortAudio lists devices when it is initialised, so each attempt does that anew.
        audio = self._pyaudio.PyAudio()
        try:
            opened = self._open(audio, find_device(audio, self._direction, self._name))
        except SoundDeviceError:
            audio.terminate()
            raise
        except (OSError, ValueError) as error:
            audio.terminate()
            named = f"sound {self._direction} '{self._name or 'default'}'"
            raise SoundDeviceError(f"{named}: {error}") from error
        self._alive_at = time.monotonic()
        return audio, opened

    def _open(self, audio: Any, info: dict[str, Any]) -> Opened:
        """At the first rate and channels that the device allows."""
        own_rate = int(info["defaultSampleRate"])
        channels = max(1, min(2, int(info[_CHANNELS[self._direction]])))
        last_error: Exception | None = None
        for rate, count in ((self._rate, 1), (own_rate, 1), (own_rate, channels)):
            options = {self._direction: True, f"{self._direction}_device_index": int(info["index"])}
            try:
                stream = audio.open(
                    format=self._pyaudio.paInt16,
                    channels=count,
                    rate=rate,
                    frames_per_buffer=round(rate * PERIOD_S),
                    stream_callback=self._callback(self._make_callback(rate, count)),
                    **options,
                )
                return Opened(stream, rate, count)
            except (OSError, ValueError) as error:
                last_error = error
        raise SoundDeviceError(f"sound device '{info['name']}' does not open: {last_error}")

    def _callback(self, use: Callback) -> Callable[..., tuple[bytes | None, int]]:
        go_on = self._pyaudio.paContinue

        def called(
            data: bytes, frames: int, times: Mapping[str, float], status: int
        ) -> tuple[bytes | None, int]:
            self._alive_at = time.monotonic()
            return use(data, frames, times), go_on

        return called

    def _disconnect(self) -> None:
        if self._audio is not None:
            with contextlib.suppress(OSError):
                self._opened.stream.close()
            with contextlib.suppress(OSError):
                self._audio.terminate()
            self._audio = None

    def _works(self) -> bool:
        if self._audio is None or time.monotonic() - self._alive_at > _STUCK_S:
            return False
        try:
            return bool(self._opened.stream.is_active())
        except OSError:
            return False

    def _watch(self) -> None:
        while not self._closing.wait(_LOOK_S):
            if not self._works():
                self._bring_back()

    def _bring_back(self) -> None:
        since = last = time.monotonic()
        pause = _FIRST_PAUSE_S
        self.problem = f"sound {self._direction} '{self._name or 'default'}' is gone"
        self._disconnect()
        next_try = since + pause
        while not self._closing.wait(_LOOK_S):
            now = time.monotonic()
            self._while_gone(now - last)
            last = now
            if now < next_try:
                continue
            try:
                self._audio, self._opened = self._connect()
            except SoundDeviceError as error:
                self.problem = f"{error} (gone for {now - since:.0f} s, trying again)"
                pause = min(2.0 * pause, _LONGEST_PAUSE_S)
                next_try = time.monotonic() + pause
            else:
                self.reopened += 1
                self.problem = ""
                return


def import_pyaudio() -> Any:
    """The module.

    Raises:
        SoundDeviceError: it or PortAudio is missing; says which Debian package to install.
    """
    quieten()
    try:
        import pyaudio
    except ImportError as error:
        if "portaudio" in str(error).lower():
            raise SoundDeviceError(
                "the PortAudio library is missing: install the system package libportaudio2"
                " (Debian, Ubuntu: apt install libportaudio2)"
            ) from error
        raise SoundDeviceError(
            "PyAudio is missing: install the system package portaudio19-dev, then the Python"
            " package PyAudio (pip install PyAudio)"
        ) from error
    return pyaudio


def find_device(audio: Any, direction: Direction, name: str) -> dict[str, Any]:
    """The device whose number is `name`, or whose name contains it (an equal name first).

    Raises:
        SoundDeviceError: there is none; names those that are there.
        OSError: there is no default one.
    """
    if not name:
        if direction == "input":
            return dict(audio.get_default_input_device_info())
        return dict(audio.get_default_output_device_info())
    found = [
        dict(info)
        for info in map(audio.get_device_info_by_index, range(audio.get_device_count()))
        if info[_CHANNELS[direction]] > 0
    ]
    for matches in (
        lambda info: str(info["index"]) == name,
        lambda info: info["name"] == name,
        lambda info: name.lower() in info["name"].lower(),
    ):
        for info in found:
            if matches(info):
                return info
    names = ", ".join(info["name"] for info in found) or "none"
    raise SoundDeviceError(f"no sound {direction} is named '{name}'; there is: {names}")
