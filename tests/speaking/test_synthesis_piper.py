"""Piper through its own package: with the smallest voice there is, and a real one where given."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from avatar_nodes.speaking.synthesis.synthesiser import SynthesisError

pytest.importorskip("piper", reason="no piper-tts here")

from avatar_nodes.speaking.synthesis.piper import PiperSynthesiser

TONE = Path(__file__).parent.parent / "data/piper/tone.onnx"
REAL_VOICE = "AVATAR_PIPER_VOICE"


def whole(synthesiser: PiperSynthesiser, text: str) -> np.ndarray:
    try:
        return np.concatenate(list(synthesiser.synthesise(text)))
    finally:
        synthesiser.close()


def test_a_voice_s_sound_at_the_graph_s_rate() -> None:
    """Eleven letters are 25 ids with the marks between them: 6400 samples at 22050 Hz."""
    speech = whole(PiperSynthesiser(voice_file=TONE), "hello world")
    assert len(speech) == pytest.approx(25 * 256 * 16_000 / 22_050, abs=2)
    times = np.arange(len(speech)) / 16_000
    inner = slice(500, -500)
    tone = np.sin(2 * np.pi * 200 * times)
    assert np.corrcoef(speech[inner], tone[inner])[0, 1] > 0.99


def test_speed_and_volume() -> None:
    speech = whole(PiperSynthesiser(voice_file=TONE, speed=2.0, volume=0.5), "hello world")
    assert len(speech) == pytest.approx(25 * 256 * 16_000 / 22_050 / 2, abs=2)
    assert np.abs(speech).max() == pytest.approx(16_384, rel=0.01)


def test_a_cancelled_text_ends() -> None:
    synthesiser = PiperSynthesiser(voice_file=TONE)
    stream = synthesiser.synthesise("hello world " * 20)
    stream.cancel()
    assert list(stream) == []
    assert len(whole(synthesiser, "again"))


def test_voices_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(SynthesisError, match=r"none\.onnx: no such file"):
        PiperSynthesiser(voice_file=tmp_path / "none.onnx")
    (tmp_path / "lonely.onnx").write_bytes(TONE.read_bytes())
    with pytest.raises(SynthesisError, match=r"lonely\.onnx\.json: no such file"):
        PiperSynthesiser(voice_file=tmp_path / "lonely.onnx")
    (tmp_path / "torn.onnx").write_bytes(b"not a model")
    (tmp_path / "torn.onnx.json").write_bytes(Path(f"{TONE}.json").read_bytes())
    with pytest.raises(SynthesisError, match="no usable voice") as raised:
        PiperSynthesiser(voice_file=tmp_path / "torn.onnx")
    assert "\n" not in str(raised.value)


def test_a_real_voice() -> None:
    voice = os.environ.get(REAL_VOICE, "")
    if not voice:
        pytest.skip(f"no Piper voice here: set {REAL_VOICE} to a NAME.onnx to test with it")
    speech = whole(PiperSynthesiser(voice_file=voice), "Hello there, I am very glad to see you.")
    assert 16_000 < len(speech) < 10 * 16_000
    assert speech.std() > 300
