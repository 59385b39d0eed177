"""What the benchmark of turns makes of what was seen."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS here")

from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image

from avatar_msgs.msg import (
    AudioChunk,
    AvatarState,
    BlockConditioning,
    BlockCredit,
    Intent,
    Prompt,
    TurnControl,
)
from avatar_nodes.bench.memory_trend import MemoryTrend
from avatar_nodes.bench.turn import script as turn_script
from avatar_nodes.bench.turn.cut import BargeIn, Cut
from avatar_nodes.bench.turn.figures import TurnFigures
from avatar_nodes.bench.turn.mouth_watch import MouthWatch
from avatar_nodes.bench.turn.script import StepKind
from avatar_nodes.bench.turn.stray_sound import cough, hesitation, noise, nonsense, nonsense_text
from avatar_nodes.bench.turn.stream_pairing import StreamPairing, stamp_of_serialized
from avatar_nodes.bench.turn.witness import TurnWitness
from avatar_nodes.timeline.turn_timeline import TurnTimeline
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
    credit = BlockCredit(playable_block=6)
    credit.next_due = stamp_of(START + 40 * FRAME)
    witness._on_credit(credit)
    cut = witness.cut(_pause(START + 25 * FRAME, first_block=7))
    assert cut is not None
    assert cut.sound_s == pytest.approx(2 * 0.04)
    assert cut.mouth_s == pytest.approx(15 * 0.04)


def test_the_mouth_s_end_is_read_from_the_pictures_up_to_the_next_sound() -> None:
    mouth = MouthWatch()
    witness = TurnWitness("/avatar", mouth=mouth)
    for frame in range(60):
        witness._on_audio(_heard(frame, loud=frame < 27))
        mouth._seen.append((START + frame * FRAME, 0.3 if frame < 38 else 0.01))
    credit = BlockCredit(playable_block=6)
    credit.next_due = stamp_of(START + 40 * FRAME)
    witness._on_credit(credit)
    cut = witness.cut(_pause(START + 25 * FRAME, first_block=7))
    assert cut is not None and cut.closed_s == pytest.approx(13 * 0.04)
    resumed = TurnControl(command=TurnControl.RESUME, turn=1)
    resumed.header.stamp = stamp_of(START + 41 * FRAME)
    witness.controls.append(resumed)
    cut = witness.cut(_pause(START + 25 * FRAME, first_block=7))
    assert cut is not None and cut.closed_s is None, "it was to speak again"


def test_a_pause_in_silence_is_no_cut() -> None:
    witness = TurnWitness("/avatar")
    for frame in range(60):
        witness._on_audio(_heard(frame, loud=False))
    assert witness.cut(_pause(START + 25 * FRAME, first_block=7)) is None


def _intent(turn: int, at_ns: int) -> Intent:
    msg = Intent(turn=turn, action_prompt="A person waves.")
    msg.header.stamp = stamp_of(at_ns)
    return msg


def test_a_gesture_is_timed_from_its_intent_to_the_first_picture_under_its_prompt() -> None:
    """Turn 1 waves, and says so twice; turn 2 was to, but is broken off; turn 3 waves again."""
    witness = TurnWitness("/avatar")
    witness._on_prompt(Prompt(id="w", text="A person waves."))
    for turn, at_s in ((1, 0.0), (1, 0.7), (2, 2.0), (3, 4.0)):
        witness._on_intent(_intent(turn, START + round(at_s * SECOND)))
    for block, prompt, turn in (
        (3, "x", 1), (4, "w", 1), (5, "w", 1), (6, "x", 1), (13, "x", 3), (14, "w", 3),
    ):  # fmt: skip
        msg = BlockConditioning(block=block, prompt_id=prompt)
        msg.sound.stream = f"turn-{turn}-ab"
        witness._on_block(msg)
        credit = BlockCredit(playable_block=block - 1)
        credit.next_due = stamp_of(START + (block - 3) * 12 * FRAME)
        witness._on_credit(credit)
    assert witness.prompt_to_action_s() == pytest.approx([0.48, 11 * 0.48 - 4.0])


def _leaked(witness: TurnWitness) -> int:
    return sum(leak.samples for leak in witness.leaks())


def test_what_is_heard_later_than_allowed_has_leaked() -> None:
    witness = TurnWitness("/avatar")
    control = _pause(START + 25 * FRAME, first_block=7)
    witness.controls.append(control)
    for frame in range(60):
        witness._on_audio(_heard(frame, loud=frame < 27))
    assert _leaked(witness) == 0, "two frames are 80 ms"
    for frame in (30, 40):
        witness._on_audio(_heard(60 + frame, loud=True))
    assert _leaked(witness) == 2 * 640
    resumed = TurnControl(command=TurnControl.RESUME, turn=1)
    resumed.header.stamp = stamp_of(START + 95 * FRAME)
    witness.controls.append(resumed)
    assert _leaked(witness) == 640, "from then on it may be heard"


def test_another_reply_s_sound_has_not_leaked() -> None:
    witness = TurnWitness("/avatar")
    witness.controls.append(_pause(START + 25 * FRAME, first_block=7))
    for frame in range(120):
        witness._on_audio(_heard(frame, loud=frame < 27 or frame >= 79))
    block = BlockConditioning(block=9, next_sample=7680)
    witness._on_block(block)
    credit = BlockCredit(playable_block=8)
    credit.next_due = stamp_of(START + 80 * FRAME)
    witness._on_credit(credit)
    assert _leaked(witness) == 640, "the frame before the other reply"
    cut = witness.cut(_pause(START + 25 * FRAME, first_block=10))
    assert cut is None, "when block 10 was shown is not known"


def _sounding(witness: TurnWitness, stream: str, *, block: int, frame: int) -> None:
    """`block` has sound of `stream`, and is shown from `frame` on."""
    msg = BlockConditioning(block=block, next_sample=7680)
    msg.sound.stream = stream
    witness._on_block(msg)
    credit = BlockCredit(playable_block=block - 1)
    credit.next_due = stamp_of(START + frame * FRAME)
    witness._on_credit(credit)


@pytest.mark.parametrize(
    ("turn", "stream", "resumed", "leaked"),
    [
        (1, "turn-1-ab", None, 12),
        (1, "turn-1-cd", None, 12),  # again, by another voice
        (1, "turn-1-ab", 2, 12),  # another reply goes on
        (1, "turn-1-ab", 1, 0),
        (1, "turn-2-ab", None, 0),
        (1, "turn-0-ab", None, 0),  # the avatar speaks on its own
        (3, "turn-2-ab", None, 12),  # a turn before that which was dropped
        (0, "turn-0-ab", None, 12),
        (0, "turn-0-cd", None, 0),
        (0, "turn-2-ab", None, 0),
    ],
)
def test_blocks_behind_a_cut_with_sound_of_the_same_reply_have_leaked(
    turn: int, stream: str, resumed: int | None, leaked: int
) -> None:
    witness = TurnWitness("/avatar")
    for command in (TurnControl.PAUSE, TurnControl.CANCEL):
        control = _pause(START + 25 * FRAME, first_block=7)
        control.command, control.turn = command, turn
        witness.controls.append(control)
    if resumed is not None:
        order = TurnControl(command=TurnControl.RESUME, turn=resumed)
        order.header.stamp = stamp_of(START + 70 * FRAME)
        witness.controls.append(order)
    _sounding(witness, f"turn-{turn}-ab", block=6, frame=20)
    _sounding(witness, stream, block=9, frame=80)
    for frame in range(120):
        witness._on_audio(_heard(frame, loud=frame < 26 or 80 <= frame < 92))
    assert _leaked(witness) == leaked * 640, "once, though two orders were given"


def test_a_reply_that_goes_on_over_a_visitor_is_noticed() -> None:
    witness = TurnWitness("/avatar")
    for frame in range(100):
        witness._on_audio(_heard(frame, loud=True))
    for frame in (20, 40, 60, 95):
        witness._activity.append((START + frame * FRAME, frame % 40 == 20))
    assert witness.ignored() == 2
    witness.controls.append(_pause(START + 21 * FRAME, first_block=7))
    assert witness.ignored() == 1


@pytest.mark.parametrize(("ahead", "late"), [(1, False), (3, True)])
def test_a_mouth_is_late_when_too_much_was_on_its_way(
    ahead: int, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block takes 0.4 s. Speech is detected 5 frames into block 5; with `ahead` blocks issued
    beyond it, silence begins that much later."""
    witness = TurnWitness("/avatar", margin_s=0.08)
    for frame in range(120):
        witness._on_audio(_heard(frame, loud=frame < 27))
    for block in range(3, 11):
        due = START + (20 + 12 * (block - 5)) * FRAME
        monkeypatch.setattr(witness, "_now_ns", lambda due=due: due - 12 * FRAME)
        witness._on_block(BlockConditioning(block=block))
        credit = BlockCredit(playable_block=block)
        credit.header.stamp = stamp_of(due - 2 * FRAME)
        credit.next_due = stamp_of(due + 12 * FRAME)
        witness._on_credit(credit)
    cut = witness.cut(_pause(START + 25 * FRAME, first_block=6 + ahead))
    assert cut is not None and cut.blocks_ahead == ahead
    assert cut.allowed_s == pytest.approx(0.48 + 0.4 + 0.08 + 0.12)
    assert cut.mouth_s == pytest.approx((12 - 5 + 12 * ahead) * 0.04)
    assert cut.mouth_late == late
    found = TurnFigures(cuts=[cut], pipeline_s=witness.pipeline_s).as_dict()
    assert found["barge_in_mouth_late"] == late
    assert found["barge_in_mouth_s_max"] == pytest.approx(cut.mouth_s)
    assert found["barge_in_mouth_allowed_s"] == pytest.approx(cut.allowed_s)
    assert (found["pipeline_s_p90"], found["barge_in_blocks_ahead_max"]) == (0.4, ahead)


def test_a_barge_in_tells_what_was_shown_before_and_after() -> None:
    witness = TurnWitness("/avatar")
    for at_s, state in ((0, 3), (2, 1), (6, 0)):
        msg = AvatarState(state=state)
        msg.header.stamp = stamp_of(START + at_s * SECOND)
        witness._on_state(msg)
    witness._activity = [(START + 19 * SECOND // 10, True), (START + 4 * SECOND, False)]
    witness.controls.append(_pause(START + 2 * SECOND, first_block=7))
    assert witness.barge_in(START + SECOND) == BargeIn("SPEAKING", "LISTENING", held=True)
    assert witness.barge_in(START + 3 * SECOND) == BargeIn("LISTENING", "LISTENING")
    assert witness.barge_in(START + 5 * SECOND) is None


def test_what_became_of_a_reply_that_was_coughed_into() -> None:
    witness = TurnWitness("/avatar")
    for at_s, command in ((1, TurnControl.CANCEL), (5, TurnControl.PAUSE), (6, TurnControl.RESUME),
                          (9, TurnControl.PAUSE), (10, TurnControl.CANCEL),
                          (14, TurnControl.PAUSE)):  # fmt: skip
        msg = TurnControl(command=command, turn=1)
        msg.header.stamp = stamp_of(START + at_s * SECOND)
        witness.controls.append(msg)
    found = [witness.became(START + a * SECOND, START + b * SECOND)
             for a, b in ((2, 4), (4, 8), (8, 12), (12, 16))]  # fmt: skip
    assert found == ["unnoticed", "resumed", "cancelled", "held"]
    figures = TurnFigures(coughs=Counter(found)).as_dict()
    assert figures["coughs"] == dict.fromkeys(sorted(found), 1)


def test_pictures_and_sound_are_paired_by_their_stamps() -> None:
    pairing = StreamPairing()
    for frame in range(100):
        stamp = START + frame * FRAME
        msg = Image()
        msg.header.stamp = stamp_of(stamp)
        if frame != 40:
            pairing.picture(stamp_of_serialized(serialize_message(msg)))
        if frame not in (50, 51):
            pairing.sound(stamp + (frame == 60) * 3_000_000, 640 * frame, 16000)
    found = pairing.summary()
    assert found["pairs"] == 96
    assert found["unpaired"] == 1 + 2 + 2, "frame 40, 50, 51; and both halves of 60"
    assert found["stamp_drift_ms_max"] == pytest.approx(3.0)


def test_a_script_has_what_was_asked_for() -> None:
    plain = turn_script.plain_turns(8, interrupt_every=4)
    kinds = [step.kind for step in plain]
    question, speaking = StepKind.QUESTION, StepKind.BARGE_IN_SPEAKING
    assert kinds == [question, question, question, speaking] * 2
    assert {s.kind for s in turn_script.plain_turns(5, interrupt_every=0)} == {question}
    fifty = Counter(step.kind for step in turn_script.barge_ins(50))
    assert set(fifty) == set(turn_script.BARGE_INS) and set(fifty.values()) == {12, 13}
    mixed = turn_script.mixed_turns(200, seed=1)
    kinds = [step.kind for step in mixed]
    assert len(mixed) == 250 and [step.number for step in mixed] == list(range(250))
    assert set(kinds) == set(StepKind) - {StepKind.BARGE_IN_IDLE}
    again = [step.kind for step in turn_script.mixed_turns(200, seed=1)]
    other = [step.kind for step in turn_script.mixed_turns(200, seed=2)]
    assert kinds == again != other and Counter(kinds) == Counter(other)


def test_noise_and_nonsense_are_sound_and_repeat() -> None:
    for make in (noise, nonsense):
        sound = make(3)
        assert sound.dtype == np.int16 and 4000 < len(sound) < 80000 and np.abs(sound).max() > 1000
        assert np.array_equal(sound, make(3)) and not np.array_equal(sound[:4000], make(4)[:4000])
    assert 2000 < len(cough(1)) < 3000 and np.abs(cough(1)).max() > 3000
    sentence, resumed_s = hesitation("where are the", "toilets", pause_s=0.6)
    resumed = round(resumed_s * 16000)
    assert not sentence[resumed - 9600 : resumed].any()
    assert all(len(np.flatnonzero(half)) > 4000 for half in np.split(sentence, [resumed]))
    assert len({nonsense_text(seed) for seed in range(20)}) == 20


def test_figures_are_quantiles_of_what_there_is() -> None:
    figures = TurnFigures(
        timelines=[
            TurnTimeline(n, speech_ended=START, first_sound=START + n * SECOND) for n in (1, 2, 3)
        ],
        cuts=[Cut(0.04, 0.9, 1, 1.0, 0.95), Cut(0.08, 1.5, 1, 1.0, 1.6)],
        barge_ins=[("idle", BargeIn("IDLE", "LISTENING")), ("idle", None)],
        memory=MemoryTrend([0.0, 1.0, 2.0], [{"a": 10.0, "b": 5.0}, {"a": 11.0}, {"a": 12.04}]),
    )
    found = figures.as_dict()
    assert (found["turns"], found["answered"], found["stuck"]) == (3, 0, 0)
    assert found["first_sound_s_p50"] == pytest.approx(2.0)
    assert found["first_frame_s_p50"] is None
    assert found["barge_in_sound_ms_max"] == pytest.approx(80.0)
    assert (found["barge_in_mouth_s_p50"], found["barge_in_mouth_late"]) == (1.2, 1)
    assert found["barge_in_mouth_closed_late"] == 1
    assert found["prompt_to_action_s_p50"] is None
    assert found["barge_ins"]["idle"] == {
        "count": 2, "noticed": 1, "held": 0,
        "shown_before": {"IDLE": 1}, "shown_after": {"LISTENING": 1},
    }  # fmt: skip
    sizes = {"start": 10.0, "middle": 11.0, "end": 12.0}
    assert found["memory_mib"] == {"a": sizes, "total": sizes}
    assert (found["memory_mib_per_h"], found["memory_flat"]) == ({}, None)
