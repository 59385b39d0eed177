"""What phones and browsers record is read as any sound file is; what is no sound gives one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from avatar_nodes.sound.audio_file import (
    GRAPH_RATE,
    AudioFileError,
    check_audio_file,
    float_from_pcm,
    read_audio_file,
)
from avatar_nodes.sound.sources import FileSource

SECONDS = 1.3
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def record(
    path: Path,
    codec: str,
    rate: int,
    *,
    form: str | None = None,
    layout: str = "mono",
    picture: bool = False,
    sample: float = 0.5,
    options: dict[str, str] | None = None,
) -> Path:
    """A tone of 440 Hz, as another program would write it."""
    with av.open(str(path), "w", format=form, options=options or {}) as file:
        file.metadata["title"] = "memo"
        stream = file.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layout
        wave = sample * np.sin(2 * np.pi * 440 * np.arange(round(SECONDS * rate)) / rate)
        channels = len(stream.layout.channels)
        sound = np.repeat(wave.astype(np.float32), channels)[None, :]
        frame = av.AudioFrame.from_ndarray(sound, format="flt", layout=layout)
        frame.sample_rate = rate
        if picture:
            video = file.add_stream("mpeg4", rate=10)
            assert isinstance(video, av.VideoStream)
            video.width = video.height = 64
            video.pix_fmt = "yuv420p"
            black = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            file.mux(video.encode(black))
            file.mux(video.encode())
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


KINDS = {
    "memo.m4a": {"codec": "aac", "rate": 44_100, "layout": "stereo"},
    "lossless.m4a": {"codec": "alac", "rate": 44_100, "form": "ipod"},
    "voice.amr": {"codec": "libopencore_amrnb", "rate": 8_000},
    "voice.3gp": {"codec": "libopencore_amrnb", "rate": 8_000},
    "browser.webm": {"codec": "libopus", "rate": 48_000, "options": {"live": "1"}},
    "whole.webm": {"codec": "libopus", "rate": 48_000, "layout": "stereo"},
    "safari.mp4": {"codec": "aac", "rate": 48_000, "options": FRAGMENTED},
    "film.mp4": {"codec": "aac", "rate": 48_000, "layout": "5.1", "picture": True},
    "film.mkv": {"codec": "libopus", "rate": 48_000, "picture": True},
    "radio.aac": {"codec": "aac", "rate": 22_050, "form": "adts"},
    "floats.mka": {"codec": "pcm_f32le", "rate": 16_000, "form": "matroska"},
}


@pytest.mark.parametrize("name", KINDS)
def test_what_others_record_is_heard(tmp_path: Path, name: str) -> None:
    path = record(tmp_path / name, **KINDS[name])  # type: ignore[arg-type]
    samples = read_audio_file(path)
    assert samples.dtype == np.int16
    assert abs(len(samples) / GRAPH_RATE - SECONDS) < 0.06  # frames of an encoder are whole
    middle = samples[2_000:18_000]
    assert abs(int(np.argmax(np.abs(np.fft.rfft(middle)))) - 440) <= 1
    level = np.sqrt(np.mean(float_from_pcm(middle) ** 2))
    assert level == pytest.approx(0.5 / np.sqrt(2), rel=0.2)  # AMR is made for voices
    info = check_audio_file(path)
    assert info.sample_rate == KINDS[name]["rate"]
    assert info.channels == {"stereo": 2, "5.1": 6}.get(str(KINDS[name].get("layout")), 1)


def test_a_reader_may_go_back(tmp_path: Path) -> None:
    path = record(tmp_path / "memo.m4a", "aac", 44_100)
    source, whole = FileSource(path), read_audio_file(path)
    assert np.array_equal(source.read(9_000, 5_000), whole[9_000:14_000])
    assert np.array_equal(source.read(100, 5_000), whole[100:5_100])
    assert source.ended(len(whole)) and not source.ended(len(whole) - 1)


def refused(path: Path) -> str:
    with pytest.raises(AudioFileError) as caught:
        read_audio_file(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def test_cut_recordings_are_refused(tmp_path: Path) -> None:
    front = {"movflags": "faststart"}
    for name, options in (("memo.m4a", {}), ("front.m4a", front), ("safari.mp4", FRAGMENTED)):
        whole = record(tmp_path / name, "aac", 44_100, options=options).read_bytes()
        for part in (0.3, 0.6, 0.9):
            (tmp_path / name).write_bytes(whole[: int(len(whole) * part)])
            assert refused(tmp_path / name)
    whole = record(tmp_path / "whole.webm", "libopus", 48_000).read_bytes()
    (tmp_path / "whole.webm").write_bytes(whole[: len(whole) // 2])
    assert "truncated" in refused(tmp_path / "whole.webm")


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mka", "pcm_f32le", 16_000, form="matroska", sample=np.nan)
    assert "NaN" in refused(path)


def test_a_title_of_another_age_costs_nothing(tmp_path: Path) -> None:
    path = record(tmp_path / "memo.m4a", "aac", 44_100)
    path.write_bytes(path.read_bytes().replace(b"memo", b"m\xe9mo"))
    assert len(read_audio_file(path))


def test_what_holds_no_sound_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "mute.mp4"), "w") as file:
        video = file.add_stream("mpeg4", rate=10)
        assert isinstance(video, av.VideoStream)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        black = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        file.mux(video.encode(black))
        file.mux(video.encode())
    Image.new("RGB", (64, 64)).save(tmp_path / "face.jpg")
    (tmp_path / "words.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nhello\n")
    (tmp_path / "letter.txt").write_text("this is a letter, not a sound")
    (tmp_path / "zeros.m4a").write_bytes(bytes(20_000))
    for path in tmp_path.iterdir():
        assert "no sound that can be read" in refused(path)


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    record(tmp_path / "other.aac", "aac", 22_050, form="adts")
    (tmp_path / "list.m4a").write_text("ffconcat version 1.0\nfile 'other.aac'\n")
    (tmp_path / "list.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9.0,\n{tmp_path}/other.aac\n#EXT-X-ENDLIST\n"
    )
    assert refused(tmp_path / "list.m4a") and refused(tmp_path / "list.m3u8")


def test_usual_files_do_not_load_ffmpeg() -> None:
    code = "import sys, avatar_nodes.sound.sources; assert 'av' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
