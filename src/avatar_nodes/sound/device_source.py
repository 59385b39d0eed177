"""Live sound from a microphone or line input."""

from __future__ import annotations

import numpy as np

from avatar_nodes.sound.audio_file import GRAPH_RATE
from avatar_nodes.sound.sound_device import Callback, SoundDevice, SoundDeviceError
from avatar_nodes.sound.sources import BufferSource, SourceError

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
        try:
            self._device = SoundDevice(
                "input",
                device,
                sample_rate=sample_rate,
                make_callback=self._callback,
                while_gone=self._be_silent,
            )
        except SoundDeviceError as error:
            raise SourceError(str(error)) from error

    @property
    def problem(self) -> str:
        """Why nothing is captured, in one line; empty: it is."""
        return self._device.problem

    @property
    def reopened(self) -> int:
        """How often the device came back."""
        return self._device.reopened

    def close(self) -> None:
        """Stop capturing and release the device."""
        self._device.close()

    def ended(self, next_sample: int) -> bool:
        """Never: a device that has gone may come back."""
        return False

    def _callback(self, rate: int, channels: int) -> Callback:
        """The ring buffer resamples where the device has another rate than the graph."""

        def captured(data: bytes, frames: int, times: object) -> None:
            self.push(np.frombuffer(data, np.int16), sample_rate=rate, channels=channels)

        return captured

    def _be_silent(self, seconds: float) -> None:
        silence = np.zeros(round(seconds * self._rate), np.int16)
        self.push(silence, sample_rate=self._rate, channels=1)
