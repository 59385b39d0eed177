"""Whether somebody who pauses is done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.models import real_model

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.hearing.turn_end import SmartTurn, silence_after, stored_turn_end
from avatar_nodes.sound.audio_file import GRAPH_RATE, read_audio_file

SAMPLES = Path(__file__).parents[2] / "samples"


def test_without_the_model_the_usual_silence_ends_a_turn() -> None:
    assert stored_turn_end() is None


@pytest.mark.parametrize("usual_s", [0.2, 0.4, 2.0])
def test_silence(usual_s: float) -> None:
    waits = [silence_after(complete / 10, usual_s) for complete in range(11)]
    assert waits == sorted(waits, reverse=True)
    assert waits[5] == usual_s


def test_a_file_that_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "smart-turn-v3.2-cpu.onnx").write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match="does not load"):
        SmartTurn(tmp_path)


@pytest.mark.parametrize(
    ("file", "stop_s", "waits_s"),
    [
        ("speech.wav", 1.0, 1.6),
        ("visitor/1_robot.wav", 9.0, 0.3),
        ("visitor/2_toilets.wav", 9.0, 0.3),
    ],
)
def test_the_real_model_tells_a_sentence_from_its_beginning(
    file: str, stop_s: float, waits_s: float
) -> None:
    judge = SmartTurn(real_model("smart-turn"))
    said = read_audio_file(SAMPLES / file)[: round(stop_s * GRAPH_RATE)]
    pause = np.zeros(GRAPH_RATE // 5, np.int16)
    assert silence_after(judge.complete(np.concatenate([said, pause])), 0.4) == waits_s
