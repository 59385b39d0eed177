"""A loudspeaker that plays stamped sound in its time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import soxr

from avatar_nodes.sound.audio_file import pcm_from_float
from avatar_nodes.sound.playback import Playback
from avatar_nodes.sound.sound_device import Callback, SoundDevice

_SECOND_NS = 1_000_000_000


class DeviceSink:
    """Plays through PyAudio what is put into `playback`; survives unplugging.

    Args:
        device: part of the device's name as PortAudio lists it, or its number; empty: the default
            output.
        now_ns: the clock of the stamps.

    Raises:
        SoundDeviceError: PyAudio or PortAudio is missing, there is no such device, or it does not
            open.
    """

    def __init__(
        self, playback: Playback, device: str = "", *, sample_rate: int, now_ns: Callable[[], int]
    ) -> None:
        self._playback, self._rate, self._now_ns = playback, sample_rate, now_ns
        self._device = SoundDevice(
            "output",
            device,
            sample_rate=sample_rate,
            make_callback=self._callback,
            while_gone=self._discard,
        )

    @property
    def problem(self) -> str:
        """Why nothing is heard, in one line; empty: it is."""
        return self._device.problem

    @property
    def reopened(self) -> int:
        """How often the device came back."""
        return self._device.reopened

    def close(self) -> None:
        """Fall silent and release the device."""
        self._device.close()

    def _callback(self, rate: int, channels: int) -> Callback:
        """Resamples where the device has another rate than the graph."""
        resample = _Resampler(self._rate, rate)

        def play(data: object, count: int, times: Mapping[str, float]) -> bytes:
            ahead_s = times["output_buffer_dac_time"] - times["current_time"]
            ahead_s = min(max(0.0, ahead_s), 1.0)  # some drivers say nothing, or nonsense
            heard_ns = self._now_ns() + round(ahead_s * _SECOND_NS)
            sound = resample(count, lambda wanted: self._playback.read(wanted, heard_ns))
            return np.repeat(sound, channels).tobytes()

        return play

    def _discard(self, seconds: float) -> None:
        """Nobody hears it: it goes by."""
        self._playback.read(round(seconds * self._rate), self._now_ns())


class _Resampler:
    """From the graph's rate to the device's, as many samples as are asked for."""

    def __init__(self, source_rate: int, rate: int) -> None:
        self._ratio = source_rate / rate
        self._left = np.zeros(0, np.int16)
        self._stream = None
        if source_rate != rate:
            self._stream = soxr.ResampleStream(source_rate, rate, 1, dtype="float32")

    def __call__(self, count: int, read: Callable[[int], np.ndarray]) -> np.ndarray:
        if self._stream is None:
            return read(count)
        while len(self._left) < count:
            wanted = max(1, round((count - len(self._left)) * self._ratio))
            more = self._stream.resample_chunk(read(wanted).astype(np.float32) / 32768.0)
            self._left = np.concatenate([self._left, pcm_from_float(more)])
        sound, self._left = self._left[:count], self._left[count:]
        return sound
