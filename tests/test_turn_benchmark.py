"""What the benchmark of turns makes of what was seen."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS here")

from avatar_msgs.msg import (
    AudioChunk,
    BlockConditioning,
    BlockCredit,
    Intent,
    Prompt,
    TurnControl,
)
from avatar_nodes.speech.turn_timeline import TurnTimeline
from avatar_nodes.turn_benchmark import TurnFigures
from avatar_nodes.turn_witness import TurnWitness
from avatar_nodes.wire.audio import audio_to_msg
from avatar_nodes.wire.stamp import stamp_of

SECOND = 1_000_000_000
FRAME = SECOND // 25
START = 100 * SECOND


def _heard(frame: int, loud: bool) -> AudioChunk:
    samples = np.full(640, 1000 if loud else 0, np.int16)
    msg = audio_to_msg(samples, stream="a", sample_rate=16000, first_sample=640 * frame)
    msg.header.stamp = stamp_of(START + frame * FRAME)
    return msg


def _pause(at_ns: int, first_block: int) -> TurnControl:
    msg = TurnControl(command=TurnControl.PAUSE, turn=1, first_block=first_block)
    msg.header.stamp = stamp_of(at_ns)
    return msg


def test_a_cut_is_measured_from_the_decision_to_the_last_sound_and_the_first_silent_picture() -> (
    None
):
    witness = TurnWitness("/avatar")
    for frame in range(60):
        witness._on_audio(_heard(frame, loud=frame < 27))
    credit = BlockCredit(presented_block=6)
    credit.next_due = stamp_of(START + 40 * FRAME)
    witness._on_credit(credit)
    cut = witness.cut(_pause(START + 25 * FRAME, first_block=7))
    assert cut is not None
    assert cut.sound_s == pytest.approx(2 * 0.04)
    assert cut.mouth_s == pytest.approx(15 * 0.04)


def test_a_pause_in_silence_is_no_cut() -> None:
    witness = TurnWitness("/avatar")
    for frame in range(60):
        witness._on_audio(_heard(frame, loud=False))
    assert witness.cut(_pause(START + 25 * FRAME, first_block=7)) is None


def test_a_gesture_is_timed_from_its_intent_to_the_first_picture_under_its_prompt() -> None:
    witness = TurnWitness("/avatar")
    witness._on_prompt(Prompt(id="w", text="A person waves."))
    intent = Intent(action_prompt="A person waves.")
    intent.header.stamp = stamp_of(START)
    witness._intents.append(intent)
    for block, prompt in ((3, "x"), (4, "w"), (5, "w")):
        witness._on_block(BlockConditioning(block=block, prompt_id=prompt))
        credit = BlockCredit(presented_block=block - 1)
        credit.next_due = stamp_of(START + (block - 3) * 12 * FRAME)
        witness._on_credit(credit)
    assert witness.prompt_to_action_s() == pytest.approx([0.48])


def test_figures_are_quantiles_of_what_there_is() -> None:
    figures = TurnFigures(
        timelines=[
            TurnTimeline(n, speech_ended=START, first_sound=START + n * SECOND) for n in (1, 2, 3)
        ],
        sound_stops_s=[0.04, 0.08],
    )
    found = figures.as_dict()
    assert (found["turns"], found["answered"], found["stuck"]) == (3, 0, 0)
    assert found["first_sound_s_p50"] == pytest.approx(2.0)
    assert found["first_frame_s_p50"] is None
    assert found["barge_in_sound_ms_max"] == pytest.approx(80.0)
    assert found["prompt_to_action_s_p50"] is None
