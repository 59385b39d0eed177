"""Sound files of many kinds become 16 kHz mono; damaged ones are refused in one line."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from avatar_nodes.sound.audio_file import (
    GRAPH_RATE,
    AudioFileError,
    check_audio_file,
    float_from_pcm,
    pcm_from_float,
    read_audio_file,
    stream_audio_file,
)
from avatar_nodes.sound.wav_stream import stream_wav

SECONDS = 1.3


def tone(rate: int, channels: int = 1) -> np.ndarray:
    """float64 [n, channels], a tone of 440 Hz."""
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(SECONDS * rate)) / rate)
    return np.repeat(wave[:, None], channels, axis=1)


def header(rate: int, channels: int, data: bytes, announced: int | None = None) -> bytes:
    """A WAV file of 16 bit samples by hand."""
    length = len(data) if announced is None else announced
    fields = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    body = b"WAVE" + b"fmt " + struct.pack("<I", 16) + fields
    return (
        b"RIFF" + struct.pack("<I", 36 + length) + body + b"data" + struct.pack("<I", length) + data
    )


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("a.wav", 16000, 1, "PCM_16"),
        ("a.wav", 8000, 1, "PCM_U8"),
        ("a.wav", 96000, 2, "PCM_24"),
        ("a.wav", 44100, 6, "FLOAT"),
        ("a.wav", 11025, 1, "DOUBLE"),
        ("a.flac", 48000, 2, "PCM_16"),
        ("a.ogg", 44100, 2, "VORBIS"),
        ("a.mp3", 44100, 2, "MPEG_LAYER_III"),
    ],
)
def test_every_kind_gives_the_same_tone(
    tmp_path: Path, name: str, rate: int, channels: int, subtype: str
) -> None:
    path = tmp_path / name
    soundfile.write(path, tone(rate, channels), rate, subtype=subtype)
    samples = read_audio_file(path)
    assert samples.dtype == np.int16
    slack = 0.06 if name.endswith("mp3") else 0.001
    assert abs(len(samples) / GRAPH_RATE - SECONDS) <= slack
    spectrum = np.abs(np.fft.rfft(samples[2000:18000]))
    assert abs(int(np.argmax(spectrum)) - 440) <= 1
    level = np.sqrt(np.mean(float_from_pcm(samples[2000:18000]) ** 2))
    assert level == pytest.approx(0.5 / np.sqrt(2), rel=0.06)


def test_sixteen_bit_sound_at_the_graph_s_rate_is_not_touched(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-32768, 32768, 50_000).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, GRAPH_RATE, subtype="PCM_16")
    assert np.array_equal(read_audio_file(tmp_path / "a.wav"), samples)
    assert np.array_equal(pcm_from_float(float_from_pcm(samples)), samples)


def test_loud_floats_are_clipped_not_wrapped() -> None:
    assert pcm_from_float(np.array([1.5, -1.5, 1.0])).tolist() == [32767, -32768, 32767]


def test_streaming_is_deterministic(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", tone(44100, 2), 44100)
    first, second = (np.concatenate(list(stream_audio_file(tmp_path / "a.flac"))) for _ in range(2))
    assert np.array_equal(first, second)


def test_info(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(96000, 6), 96000)
    info = check_audio_file(tmp_path / "a.wav")
    assert (info.sample_rate, info.channels) == (96000, 6)
    assert info.duration_s == pytest.approx(SECONDS)


def bad_files(folder: Path) -> dict[str, Path]:
    """Name of the fault -> file."""
    pcm = np.zeros(8000, np.int16).tobytes()
    files = {
        "the file is empty": b"",
        "impossible sample rate 0 Hz": header(0, 1, pcm),
        "impossible number of channels 0": header(16000, 0, pcm),
        "the file holds no sound": header(16000, 1, b""),
        "truncated: 16000 of 64000 bytes": header(16000, 1, pcm, announced=64000),
        "truncated: the WAV file has no sound data": header(16000, 1, pcm)[:40],
        "no sound that can be read": b"\x89PNG\r\n\x1a\n" + bytes(500),
    }
    made = {}
    for number, (fault, content) in enumerate(files.items()):
        made[fault] = folder / f"{number}.wav"
        made[fault].write_bytes(content)
    for fault, value in (("sample 777 ", np.nan), ("sample 1234 ", np.inf)):
        sound = tone(16000)
        sound[int(fault.split()[1])] = value
        made[fault] = folder / f"{value}.wav"
        soundfile.write(made[fault], sound, 16000, subtype="FLOAT")
    for fault, ending in (("truncated", "ogg"), ("", "flac")):
        whole = folder / f"whole.{ending}"
        soundfile.write(whole, np.random.default_rng(0).normal(0, 0.1, 60_000), 16000)
        key = fault or "half.flac: "
        made[key] = folder / f"half.{ending}"
        made[key].write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    made["No such file"] = folder / "missing.wav"
    made["not a file"] = folder
    return made


def test_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    for fault, path in bad_files(tmp_path).items():
        with pytest.raises(AudioFileError) as error:
            check_audio_file(path)
        assert fault in str(error.value)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
        with pytest.raises(AudioFileError):
            read_audio_file(path)


@pytest.mark.parametrize(
    "announced",
    [0, 0x7FFFFFFF, 0x7FFFFFFF - 36, 0x7FFFF000, 0xFFFFFFFF, 0xFFFFFFFF - 36, 0xFFFFF000],
)
@pytest.mark.parametrize("whole", [None, 0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_piped_wav_without_length_is_read(
    tmp_path: Path, announced: int, whole: int | None
) -> None:
    samples = np.arange(5000, dtype=np.int16)
    data = bytearray(header(16000, 1, samples.tobytes()))
    data[40:44] = struct.pack("<I", announced)
    if whole is not None:
        data[4:8] = struct.pack("<I", whole)
    (tmp_path / "piped.wav").write_bytes(data + b"\1")  # cut within a sample
    assert np.array_equal(read_audio_file(tmp_path / "piped.wav"), samples)
    pieces = iter([bytes(data), b"\1", b""])
    (streamed, rate), *_ = stream_wav(lambda: next(pieces))
    assert np.array_equal(streamed, samples) and rate == 16000


def test_an_honest_length_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes(header(16000, 1, bytes(10_000), announced=1 << 30))
    with pytest.raises(AudioFileError, match="truncated: 10000 of 1073741824 bytes"):
        check_audio_file(path)


def test_the_standard_library_agrees(tmp_path: Path) -> None:
    samples = np.arange(-3000, 3000, dtype=np.int16)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    assert np.array_equal(read_audio_file(tmp_path / "a.wav"), samples)


@pytest.mark.parametrize("signs", [(1, -1), (1, -0.99), (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)])
def test_channels_that_cancel_are_not_averaged_to_silence(
    tmp_path: Path, signs: tuple[float, ...]
) -> None:
    tone = (0.5 * np.sin(np.arange(16_000) * 0.1)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", tone[:, None] * np.array(signs), 16_000, "FLOAT")
    assert np.array_equal(read_audio_file(tmp_path / "a.wav"), pcm_from_float(tone))
