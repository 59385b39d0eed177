import numpy as np
import pytest

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.world.motion import ACTIONS, SHOW, TRACKS, Performance
from avatar_nodes.world.objects import Thing

BALL = Thing("ball", "red")
DRIVEN = {
    "wave": "wave",
    "nod": "pitch",
    "shake": "yaw",
    "point": "point",
    "shrug": "shrug",
    "thumbs_up": "thumbs_up",
    "lean": "torso_turn",
    "smile": "smile",
    "show": "show",
}


def test_same_seed_gives_the_same_performance() -> None:
    first, again = (Performance.sample(5, None, 40, [("wave", 1, 2)]) for _ in range(2))
    for name in TRACKS:
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    other = Performance.sample(6, None, 40, [("wave", 1, 2)])
    assert any((getattr(first, name) != getattr(other, name)).any() for name in TRACKS)


@pytest.mark.parametrize("action", [*(a for a in ACTIONS if a != "rest"), SHOW])
def test_an_action_begins_at_its_block_and_ends_after_it(action: str) -> None:
    plain = Performance.sample(1, None, 60)
    acted = Performance.sample(1, None, 60, [(action, 1, 3)], BALL)
    effect = np.abs(getattr(acted, DRIVEN[action]) - getattr(plain, DRIVEN[action]))
    first, last = 12, 36
    assert not effect[:first].any()
    assert effect[first:last].max() > 0.05 and effect[first : first + 8].any()
    assert not effect[last + 8 :].any()


@pytest.mark.parametrize("rate", [5, 16, 30])
def test_the_same_life_at_another_frame_rate(rate: int) -> None:
    """Everything takes as long as it does at 25 frames a second."""
    timing = BlockTiming(frame_rate=rate, sample_rate=48_000, latents_per_block=2)
    usual = Performance.sample(4, None, 250)
    other = Performance.sample(4, None, 10 * rate, timing=timing)
    assert other.num_frames == 10 * rate
    at_end = (np.arange(10 * rate) + 1) * 25 // rate - 1
    for name in ("blink", "gaze_x", "gaze_y"):
        found, held = getattr(other, name), getattr(usual, name)[np.maximum(at_end, 0)]
        np.testing.assert_array_equal(found, held)
    acted = Performance.sample(4, None, 10 * rate, [("smile", 1, 3)], timing=timing)
    smiles = np.flatnonzero(acted.smile != other.smile)
    assert smiles[0] == 8 and 24 <= smiles[-1] < 24 + rate


def test_actions_leave_the_lips_alone() -> None:
    for action in (*ACTIONS, SHOW):
        assert not Performance.sample(2, None, 24, [(action, 0, 2)], BALL).aperture.any()


@pytest.mark.parametrize(
    ("frames", "actions", "message"),
    [
        (0, [], "num_frames"),
        (9, [("dance", 0, 1)], "unknown action"),
        (9, [("wave", 2, 2)], "empty span"),
        (9, [("show", 0, 1)], "needs a thing"),
    ],
)
def test_bad_input_is_refused(frames: int, actions: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Performance.sample(0, None, frames, actions)
