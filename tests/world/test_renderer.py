import numpy as np
import pytest

from avatar_nodes.world import (
    ACTIONS,
    INTERIOR,
    Identity,
    Performance,
    face_box,
    hand_boxes,
    mouth_box,
    render,
    room,
    synthesise,
)

SPEECH = synthesise("Papa may buy a map.")


def near_interior(picture: np.ndarray) -> np.ndarray:
    return np.abs(picture.astype(int) - INTERIOR).max(axis=2) < 8


def test_the_same_arguments_give_the_same_bytes() -> None:
    performance = Performance.sample(3, SPEECH, 20, [("wave", 0, 1)])
    first = render(Identity.sample(11), performance, 14)
    again = render(Identity.sample(11), Performance.sample(3, SPEECH, 20, [("wave", 0, 1)]), 14)
    assert first.shape == (256, 256, 3) and first.dtype == np.uint8
    assert first.tobytes() == again.tobytes()


def test_seeds_give_different_people() -> None:
    pictures = {
        render(Identity.sample(seed), Performance.neutral(), 0).tobytes() for seed in range(20)
    }
    assert len(pictures) == 20


def test_the_colour_inside_the_mouth_is_nowhere_else() -> None:
    for seed in range(12):
        performance = Performance.sample(seed, SPEECH, 24, [(ACTIONS[seed % len(ACTIONS)], 0, 2)])
        opened = int(np.argmax(performance.aperture))
        x0, y0, x1, y1 = mouth_box(Identity.sample(seed), performance, opened)
        found = near_interior(render(Identity.sample(seed), performance, opened))
        assert found[y0:y1, x0:x1].sum() > 50
        found[y0:y1, x0:x1] = False
        assert not found.any()


def test_a_closed_mouth_shows_no_inside() -> None:
    for seed in range(12):
        assert not near_interior(render(Identity.sample(seed), Performance.neutral(), 0)).any()


@pytest.mark.parametrize("action", ["wave", "point", "shrug", "thumbs_up"])
def test_arms_never_cover_the_mouth(action: str) -> None:
    """Inside the mouth's box the picture is the same with the arm up and without it."""
    for seed in (1, 2, 3, 4):
        identity, n = Identity.sample(seed), 16
        acted = Performance.sample(seed, SPEECH, 24, [(action, 0, 2)])
        still = {name: np.zeros(24, np.float32) for name in ("wave", "point", "shrug", "thumbs_up")}
        armless = Performance(**{**acted.__dict__, **still})
        x0, y0, x1, y1 = mouth_box(identity, acted, n)
        with_arm, without = render(identity, acted, n), render(identity, armless, n)
        assert (with_arm != without).any()
        np.testing.assert_array_equal(with_arm[y0:y1, x0:x1], without[y0:y1, x0:x1])


def test_a_frame_outside_the_performance_is_refused() -> None:
    with pytest.raises(IndexError, match="frame 1"):
        render(Identity.sample(0), Performance.neutral(), 1)


def test_room_face_and_hands_are_where_they_say() -> None:
    person, blocks = Identity.sample(5), [("wave", 1, 4)]
    performance = Performance.sample(3, SPEECH, 60, blocks)
    behind, resting = room(person), render(person, performance, 0)
    assert (behind[:10, :60] == resting[:10, :60]).all(), "a corner of the wall"
    assert hand_boxes(person, performance, 0) == []
    (waved,) = hand_boxes(person, performance, 36)
    differs = np.abs(render(person, performance, 36).astype(int) - resting).max(axis=2) > 24
    x0, y0, x1, y1 = waved
    inside = differs[y0:y1, x0:x1].mean()
    assert inside > 0.3, "the hand is in its box"
    x0, y0, x1, y1 = face_box(person, performance, 0)
    a, b, c, d = mouth_box(person, performance, 0)
    assert x0 < a and c < x1 and y0 < b and d < y1 + 4
    covers = np.abs(resting.astype(int) - behind).max(axis=2) > 6
    assert covers[y0 + 20 : y1 - 20, x0 + 20 : x1 - 20].all(), "no wall within the face"
