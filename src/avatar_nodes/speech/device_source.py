"""Live sound from a microphone or line input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from avatar_nodes.speech.audio_file import GRAPH_RATE
from avatar_nodes.speech.sound_device import (
    Opened,
    SoundDevice,
    SoundDeviceError,
    import_pyaudio,
    open_first,
)
from avatar_nodes.speech.sources import BufferSource, SourceError

_LIVE_BUFFER_S = 10


class DeviceSource(BufferSource):
    """A microphone or line input through PyAudio, captured by a callback into the ring buffer.

    When it is unplugged silence comes instead, in real time, until it is back.

    Args:
        device: part of the device's name as PortAudio lists it, or its number; empty: the default
            input.

    Raises:
        SourceError: PyAudio or PortAudio is missing, there is no such device, or it does not open.
    """

    def __init__(
        self, device: str = "", *, sample_rate: int = GRAPH_RATE, seconds: float = _LIVE_BUFFER_S
    ) -> None:
        super().__init__(sample_rate=sample_rate, seconds=seconds)
        self._device: SoundDevice | None = None
        try:
            self._device = SoundDevice("input", device, self._open, self._be_silent)
        except SoundDeviceError as error:
            raise SourceError(str(error)) from error

    @property
    def problem(self) -> str:
        """Why nothing is captured, in one line; empty: it is."""
        return "" if self._device is None else self._device.problem

    @property
    def reopened(self) -> int:
        """How often the device came back."""
        return 0 if self._device is None else self._device.reopened

    def close(self) -> None:
        """Stop capturing and release the device."""
        if self._device is not None:
            self._device.close()

    def ended(self, next_sample: int) -> bool:
        """Never: a device that has gone may come back."""
        return False

    def _open(self, audio: Any, info: dict[str, Any]) -> Opened:
        """At the graph's rate where the device allows it, else at its own, resampled."""
        pyaudio = import_pyaudio()
        own_rate = int(info["defaultSampleRate"])
        channels = max(1, min(2, int(info["maxInputChannels"])))
        choices = [(self._rate, 1), (own_rate, 1), (own_rate, channels)]

        def make(rate: int, channels: int) -> Callable[..., tuple[None, int]]:
            return self._callback(pyaudio.paContinue, rate, channels)

        return open_first(audio, info, "input", choices, make, pyaudio.paInt16)

    def _callback(self, go_on: int, rate: int, channels: int) -> Callable[..., tuple[None, int]]:
        def captured(data: bytes, frames: int, times: object, status: int) -> tuple[None, int]:
            if self._device is not None:
                self._device.alive()
            self.push(np.frombuffer(data, np.int16), sample_rate=rate, channels=channels)
            return None, go_on

        return captured

    def _be_silent(self, seconds: float) -> None:
        silence = np.zeros(round(seconds * self._rate), np.int16)
        self.push(silence, sample_rate=self._rate, channels=1)
