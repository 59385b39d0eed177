"""Sound files of every usual kind are read; damaged ones are refused in one line."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from avatar_nodes.sound.audio_file import AudioFileError, check_audio_file, read_audio_file


def tone(rate: int, seconds: float = 1.0, channels: int = 1) -> np.ndarray:
    """A 440 Hz tone at a third of full scale, [n] or [n, channels]."""
    wave = np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate) / 3
    return wave if channels == 1 else np.repeat(wave[:, None], channels, axis=1)


@pytest.mark.parametrize(
    ("rate", "channels", "kind", "subtype"),
    [
        (16_000, 1, "wav", "PCM_16"),
        (8_000, 1, "wav", "PCM_U8"),
        (96_000, 1, "wav", "PCM_24"),
        (44_100, 2, "wav", "FLOAT"),
        (48_000, 6, "wav", "PCM_16"),
        (22_050, 1, "flac", "PCM_16"),
        (48_000, 2, "ogg", "VORBIS"),
        (44_100, 2, "mp3", "MPEG_LAYER_III"),
    ],
)
def test_any_rate_and_channel_count_becomes_the_same_tone(
    tmp_path: Path, rate: int, channels: int, kind: str, subtype: str
) -> None:
    path = tmp_path / f"tone.{kind}"
    soundfile.write(path, tone(rate, channels=channels), rate, subtype=subtype)
    samples = read_audio_file(path).astype(np.float64) / 32768
    assert abs(len(samples) - 16_000) <= (1_500 if kind == "mp3" else 2)  # MP3 pads its ends
    middle = samples[4_000:12_000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * 2 == pytest.approx(440, abs=2)
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(1 / 3, rel=0.05)


def wav(tmp_path: Path, **header: int) -> Path:
    """A WAV of one second whose header says what it is told to."""
    body = (tone(16_000) * 32767).astype("<i2").tobytes()
    rate, size = header.get("rate", 16_000), header.get("size", len(body))
    form = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    path = tmp_path / "bad.wav"
    path.write_bytes(
        b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack("<I", 16) + form
        + b"data" + struct.pack("<I", size) + body
    )  # fmt: skip
    return path


def refused(path: Path) -> str:
    with pytest.raises(AudioFileError) as caught:
        check_audio_file(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    with pytest.raises(AudioFileError):
        read_audio_file(path)
    return message


def test_truncated(tmp_path: Path) -> None:
    path = wav(tmp_path, size=64_000)
    refused(path)


def test_cut_in_the_header(tmp_path: Path) -> None:
    path = wav(tmp_path)
    path.write_bytes(path.read_bytes()[:20])
    refused(path)


def test_no_byte_at_all(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    path.touch()
    assert "empty" in refused(path)


def test_header_without_samples(tmp_path: Path) -> None:
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.zeros(0), 16_000)
    refused(path)


def test_zero_hertz(tmp_path: Path) -> None:
    refused(wav(tmp_path, rate=0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    path = tmp_path / "nan.wav"
    samples = tone(16_000)
    samples[9_000] = value
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    refused(path)


def test_what_is_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    path.write_text("this is a letter, not a sound")
    refused(path)


def test_no_file(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere.wav")
