"""Pictures and truth of lifelike people; needs the geometry and OpenGL (EGL)."""

import numpy as np
import pytest
from support.people import people_studio

from avatar_nodes.world import Performance, Thing, synthesise
from avatar_nodes.world.people import LANDMARKS, Identity, Shot

SPEECH = synthesise("Papa may buy a map of the blue zoo.")


@pytest.fixture(autouse=True)
def drawable() -> None:
    people_studio()


def shot(seed: int, performance: Performance) -> Shot:
    return Shot(Identity.sample(seed), performance)


def test_the_same_seed_gives_the_same_bytes() -> None:
    performance = Performance.sample(3, SPEECH, 30, [("wave", 1, 2)])
    first = shot(11, performance).picture(17)
    assert first.shape == (256, 256, 3) and first.dtype == np.uint8
    assert first.std() > 20
    again = shot(11, Performance.sample(3, SPEECH, 30, [("wave", 1, 2)]))
    again.picture(4)
    assert again.picture(17).tobytes() == first.tobytes()


def test_people_differ() -> None:
    pictures = [shot(seed, Performance.neutral()).picture(0).astype(int) for seed in range(3)]
    assert np.abs(pictures[0] - pictures[1]).mean() > 10
    assert np.abs(pictures[1] - pictures[2]).mean() > 10


def test_a_frame_that_is_not_there_is_refused() -> None:
    with pytest.raises(IndexError, match="frame 1"):
        shot(1, Performance.neutral()).picture(1)


def test_the_mouth_moves_as_its_truth_says() -> None:
    """The change of the mouth's pixels against the closed mouth grows with the aperture."""
    performance = Performance.sample(3, SPEECH, 60)
    still = Performance(
        **{
            name: np.zeros(60, np.float32) if name in ("aperture", "rounding", "clench", "bite")
            else value for name, value in performance.__dict__.items()
        }
    )  # fmt: skip
    correlations = []
    for seed in (2, 4):
        speaking, silent = shot(seed, performance), shot(seed, still)
        change = []
        for n in range(0, 60, 2):
            x0, y0, x1, y1 = speaking.mouth_box(n)
            a = speaking.picture(n)[y0:y1, x0:x1].astype(int)
            b = silent.picture(n)[y0:y1, x0:x1].astype(int)
            change.append(np.abs(a - b).sum())
        correlations.append(np.corrcoef(change, performance.aperture[::2])[0, 1])
    assert min(correlations) > 0.85, correlations


@pytest.mark.parametrize("action", ["wave", "point", "thumbs_up", "shrug", "nod", "shake", "lean"])
def test_actions_move_the_picture(action: str) -> None:
    acted = shot(2, Performance.sample(5, None, 36, [(action, 1, 2)]))
    calm = shot(2, Performance.sample(5, None, 36))
    moved = np.abs(acted.picture(22).astype(int) - calm.picture(22)).mean(axis=2) > 24
    assert moved.sum() > (1500 if action in ("nod", "shake") else 3000)


def test_landmarks_are_where_they_belong() -> None:
    marks = shot(6, Performance.neutral()).landmarks(0)
    at = dict(zip([name for name, _ in LANDMARKS], marks, strict=True))
    assert marks.shape == (len(LANDMARKS), 2) and marks.dtype == np.float32
    assert at["left_eye_outer"][0] > at["right_eye_outer"][0]  # their left is on our right
    assert at["chin"][1] > at["lower_lip_bottom"][1] > at["nose_tip"][1] > at["nose_bridge"][1]
    assert abs(at["upper_lip_edge"][1] - at["lower_lip_edge"][1]) < 1.0


@pytest.mark.parametrize("place", ["hand", "stand"])
def test_a_thing_is_seen_where_its_box_is(place: str) -> None:
    thing = Thing("ball", "red", place)
    performance = Performance.sample(5, None, 48, [("show", 1, 3)], thing)
    shown = shot(2, performance)
    assert shown.thing_visible(2) == 0.0
    assert shown.thing_visible(26) > 0.5
    x0, y0, x1, y1 = shown.thing_box(26)
    inside = shown.picture(26)[max(y0, 0) : y1, max(x0, 0) : x1].reshape(-1, 3).astype(int)
    reddish = (inside[:, 0] > 110) & (inside[:, 0] > 1.6 * inside[:, 1])
    assert reddish.mean() > 0.35


@pytest.mark.parametrize("action", ["wave", "point", "thumbs_up", "shrug", "show"])
def test_hands_never_cover_the_mouth(action: str) -> None:
    """Around the mouth the picture is the same with the hand up and without it."""
    thing = Thing("cup", "blue") if action == "show" else None
    for seed in (1, 2, 3):
        acted = Performance.sample(seed, SPEECH, 48, [(action, 1, 3)], thing)
        still = {name: np.zeros(48, np.float32)
                 for name in ("wave", "point", "thumbs_up", "shrug", "show")}  # fmt: skip
        calm = Performance(**{**acted.__dict__, **still})
        raised, lowered = shot(seed, acted), shot(seed, calm)
        for n in (17, 22, 27):
            x0, y0, x1, y1 = raised.mouth_box(n)
            here = raised.picture(n)[y0:y1, x0:x1].astype(int)
            there = lowered.picture(n)[y0:y1, x0:x1]
            assert (np.abs(here - there).max(axis=2) > 60).mean() < 0.02, (seed, n)


def test_room_face_and_hands_are_where_they_say() -> None:
    one = shot(4, Performance.sample(3, SPEECH, 60, [("wave", 1, 4)]))
    behind, resting, waving = one.room(), one.picture(0), one.picture(36)
    assert behind.shape == resting.shape and (behind[:6, :6] == resting[:6, :6]).all()
    assert one.hand_boxes(0) == []
    (waved,) = one.hand_boxes(36)
    x0, y0, x1, y1 = waved
    change = np.abs(waving.astype(int) - resting).max(axis=2) > 16
    assert change[y0:y1, max(0, x0) : x1].mean() > 0.3, "the hand is in its box"
    x0, y0, x1, y1 = one.face_box(0)
    a, b, c, d = one.mouth_box(0)
    assert x0 < a and y0 < b and c < x1 and d < y1
    covers = np.abs(resting.astype(int) - behind).max(axis=2) > 6
    assert covers[y0:y1, x0:x1].mean() > 0.9, "no wall within the face"
