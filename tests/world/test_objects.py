import numpy as np
import pytest

from avatar_nodes.world import (
    INTERIOR,
    Identity,
    Performance,
    Thing,
    mouth_box,
    render,
    thing_box,
    thing_visible,
)
from avatar_nodes.world.objects import COLOURS, HALF_SIZE, KINDS, PLACES, draw_thing
from avatar_nodes.world.pen import Frame, Pen

SIDE = 128


def picture(thing: Thing) -> np.ndarray:
    """The thing alone on grey, twice its size."""
    canvas = np.full((SIDE, SIDE, 3), 128, np.uint8)
    draw_thing(Pen(canvas, Frame(shift=(SIDE / 4, SIDE / 4))), thing)
    return canvas


def test_a_thing_stays_within_its_size_and_fills_it() -> None:
    for kind in KINDS:
        drawn = np.argwhere((picture(Thing(kind, "red")) != 128).any(axis=2))
        low, high = drawn.min(axis=0) / 2 - SIDE / 4, (drawn.max(axis=0) + 1) / 2 - SIDE / 4
        assert low.min() >= -HALF_SIZE - 0.5 and high.max() <= HALF_SIZE + 0.5, kind
        assert (high - low).min() > HALF_SIZE, kind


def test_every_thing_looks_different_and_none_has_the_mouths_colour() -> None:
    pictures = {}
    for kind in KINDS:
        for colour in COLOURS:
            drawn = picture(Thing(kind, colour))
            pictures[drawn.tobytes()] = (kind, colour)
            assert not (np.abs(drawn.astype(int) - INTERIOR).max(axis=2) < 8).any()
    assert len(pictures) == len(KINDS) * len(COLOURS)


@pytest.mark.parametrize("place", PLACES)
def test_what_is_called_visible_is_what_changes_the_picture(place: str) -> None:
    """Frame by frame against the same performance with a thing of another colour."""
    identity = Identity.sample(4)
    one, other = (
        Performance.sample(6, None, 48, [("show", 1, 3)], Thing("apple", colour, place))
        for colour in ("red", "blue")
    )
    for n in range(48):
        change = (render(identity, one, n) != render(identity, other, n)).any(axis=2)
        visible = thing_visible(identity, one, n)
        if visible == 0.0:
            assert not change.any()
            continue
        x0, y0, x1, y1 = thing_box(identity, one, n)
        inside = change[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)].sum()
        assert inside == change.sum()
        if visible == 1.0:
            assert inside > 0.25 * (x1 - x0) * (y1 - y0)
    shown = [thing_visible(identity, one, n) for n in range(48)]
    assert not any(shown[:12]) and all(share == 1.0 for share in shown[21:36])
    assert not any(shown[44:])


def test_a_thing_comes_back_the_same() -> None:
    identity, thing = Identity.sample(8), Thing("toy duck", "yellow")
    acted = Performance.sample(2, None, 84, [("show", 0, 2), ("show", 4, 6)], thing)
    shown = np.array([thing_visible(identity, acted, n) for n in range(84)])
    assert shown[15] == shown[63] == 1.0 and not shown[34:48].any()
    one, again = (
        _crop(render(identity, acted, n), thing_box(identity, acted, n)) for n in (15, 63)
    )
    yellow = [
        np.mean(np.abs(p.astype(int) - COLOURS["yellow"]).max(axis=2) < 24) for p in (one, again)
    ]
    assert min(yellow) > 0.2 and abs(yellow[0] - yellow[1]) < 0.05


def test_a_shown_thing_never_covers_the_mouth() -> None:
    for seed in range(6):
        identity = Identity.sample(seed)
        for place in PLACES:
            acted = Performance.sample(
                seed, None, 36, [("show", 0, 3)], Thing("gift box", "green", place)
            )
            for n in (6, 20, 34):
                x0, _, x1, y1 = mouth_box(identity, acted, n)
                a0, b0, a1, _ = thing_box(identity, acted, n)
                assert a1 <= x0 or a0 >= x1 or b0 >= y1


def test_an_unknown_thing_is_refused() -> None:
    with pytest.raises(ValueError, match="mauve"):
        Thing("ball", "mauve")
    with pytest.raises(ValueError, match="no object"):
        thing_box(Identity.sample(0), Performance.neutral(), 0)


def _crop(frame: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    x0, y0, x1, y1 = box
    return frame[y0:y1, x0:x1]
