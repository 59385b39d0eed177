"""Sources give the samples that are asked for, by index; devices say what they lack."""

from __future__ import annotations

import builtins
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from avatar_nodes.sound.device_source import DeviceSource
from avatar_nodes.sound.ring_buffer import RingBuffer
from avatar_nodes.sound.sources import BufferSource, FileSource, SourceError


def ramp(first: int, count: int) -> np.ndarray:
    return (np.arange(first, first + count) % 30000).astype(np.int16)


class TestRingBuffer:
    def test_keeps_the_newest(self) -> None:
        ring = RingBuffer(100)
        for first in range(0, 700, 70):
            ring.write(ramp(first, 70))
        assert (ring.start, ring.end) == (600, 700)
        assert np.array_equal(ring.read(620, 500), ramp(620, 80))
        assert len(ring.read(599, 10)) == len(ring.read(700, 10)) == 0

    def test_a_write_larger_than_the_buffer(self) -> None:
        ring = RingBuffer(100)
        ring.write(ramp(0, 350))
        assert np.array_equal(ring.read(250, 100), ramp(250, 100))

    def test_align_begins_the_count_anew(self) -> None:
        ring = RingBuffer(100)
        ring.write(ramp(0, 50))
        ring.align(1000)
        assert len(ring.read(1000, 1)) == 0
        ring.write(ramp(1000, 20))
        assert np.array_equal(ring.read(1005, 50), ramp(1005, 15))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", ramp(0, 400_000), 16000, subtype="PCM_16")
    return tmp_path / "a.wav"


class TestFileSource:
    def test_reads_forward_and_back(self, file: Path) -> None:
        source = FileSource(file)
        for first in (0, 640, 1280, 390_000, 5, 200_000, 100_000, 399_990):
            expected = ramp(first, min(640, 400_000 - first))
            assert np.array_equal(source.read(first, 640), expected)
        assert source.ended(400_000)
        assert not source.ended(399_999)
        assert len(source.read(500_000, 10)) == 0

    def test_going_back_gives_the_same_resampled_sound(self, tmp_path: Path) -> None:
        sound = np.random.default_rng(0).normal(0, 0.1, (44100 * 30, 2))
        soundfile.write(tmp_path / "a.flac", sound, 44100)
        source = FileSource(tmp_path / "a.flac")
        before = source.read(1000, 3000)
        source.read(400_000, 10)
        assert np.array_equal(source.read(1000, 3000), before)


class TestBufferSource:
    def test_any_rate_and_channels_become_mono(self) -> None:
        source = BufferSource()
        stereo = np.repeat(ramp(0, 9600), 2)
        for part in np.split(stereo, 10):
            source.push(part, sample_rate=48000, channels=2)
        assert 2900 <= source.end <= 3200

    def test_same_rate_is_not_touched(self) -> None:
        source = BufferSource()
        source.push(ramp(0, 1000), sample_rate=16000, channels=1)
        assert np.array_equal(source.read(0, 2000), ramp(0, 1000))
        assert not source.ended(1000)
        source.finish()
        assert source.ended(1000)
        assert not source.ended(999)

    @pytest.mark.parametrize(("rate", "channels", "count"), [(0, 1, 4), (8000, 0, 4), (8000, 3, 4)])
    def test_refuses_nonsense(self, rate: int, channels: int, count: int) -> None:
        with pytest.raises(ValueError, match="channels"):
            BufferSource().push(ramp(0, count), sample_rate=rate, channels=channels)


class FakeAudio:
    """PortAudio as PyAudio shows it: two inputs, one of which refuses 16 kHz."""

    devices = (
        {"index": 0, "name": "Speaker", "maxInputChannels": 0, "defaultSampleRate": 48000.0},
        {
            "index": 1,
            "name": "USB Audio",
            "maxInputChannels": 2,
            "defaultSampleRate": 48000.0,
        },
        {"index": 2, "name": "mic", "maxInputChannels": 1, "defaultSampleRate": 16000.0},
    )
    opened: dict[str, Any]

    def get_device_count(self) -> int:
        return len(self.devices)

    def get_device_info_by_index(self, index: int) -> dict[str, Any]:
        return self.devices[index]

    def get_default_input_device_info(self) -> dict[str, Any]:
        raise OSError("No Default Input Device Available")

    def open(self, **options: Any) -> Any:
        if options["input_device_index"] == 1 and options["rate"] == 16000:
            raise OSError("Invalid sample rate")
        FakeAudio.opened = options
        return types.SimpleNamespace(close=lambda: None, is_active=lambda: True)

    def terminate(self) -> None:
        pass


@pytest.fixture
def pyaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("pyaudio")
    vars(module).update(PyAudio=FakeAudio, paInt16=8, paContinue=0)
    monkeypatch.setitem(sys.modules, "pyaudio", module)


@pytest.mark.usefixtures("pyaudio")
class TestDeviceSource:
    def test_found_by_part_of_its_name_and_resampled(self) -> None:
        source = DeviceSource("usb audio")
        assert FakeAudio.opened["input_device_index"] == 1
        assert (FakeAudio.opened["rate"], FakeAudio.opened["channels"]) == (48000, 1)
        for _ in range(50):
            captured = FakeAudio.opened["stream_callback"](ramp(0, 960).tobytes(), 960, None, 0)
            assert captured == (None, 0)
        assert 15_000 <= source.end <= 16_000
        source.close()

    def test_unknown_name_lists_what_there_is(self) -> None:
        with pytest.raises(
            SourceError, match="no sound input is named 'x'; there is: USB Audio, mic"
        ):
            DeviceSource("x")

    def test_no_default_input(self) -> None:
        with pytest.raises(SourceError, match="No Default Input"):
            DeviceSource()


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [
        ("No module named 'pyaudio'", "portaudio19-dev"),
        ("libportaudio.so.2: cannot open shared object file", "libportaudio2"),
    ],
)
def test_a_missing_library_is_named(
    monkeypatch: pytest.MonkeyPatch, reason: str, wanted: str
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pyaudio":
            raise ImportError(reason)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "pyaudio", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SourceError, match=wanted):
        DeviceSource()
