import numpy as np
import pytest
from support.people import people_assets

from avatar_nodes.world import Performance, synthesise
from avatar_nodes.world.people.assets import Physique
from avatar_nodes.world.people.face import MAX_OPENING, Face

PHYSIQUE = Physique(0.5, 0.2, 0.5, 0.5, (0.3, 0.3, 0.4))
SPEECH = synthesise("Papa may buy a map of the blue zoo.")


@pytest.fixture(scope="module")
def face() -> Face:
    assets = people_assets()
    return Face(assets, assets.body(PHYSIQUE))


def test_lips_open_as_far_as_the_aperture_says(face: Face) -> None:
    performance = Performance.sample(3, SPEECH, 70, [("smile", 2, 4)])
    opening = face.opening(face.weights(performance))
    wanted = MAX_OPENING * performance.aperture
    assert np.abs(opening - wanted).max() < 0.0012
    assert performance.aperture.max() > 0.6


def test_lips_are_closed_where_they_press(face: Face) -> None:
    performance = Performance.sample(3, SPEECH, 70)
    pressed = performance.press > 0.7
    assert pressed.sum() >= 4
    assert face.opening(face.weights(performance))[pressed].max() < 0.002


def test_weights_stay_within_reason(face: Face) -> None:
    weights = face.weights(Performance.sample(5, SPEECH, 70, [("smile", 0, 3), ("shrug", 3, 5)]))
    assert weights.dtype == np.float32 and weights.shape == (70, 52)
    assert weights.min() >= 0.0 and weights.max() < 1.3


def test_a_neutral_mouth_is_closed(face: Face) -> None:
    assert abs(face.opening(face.weights(Performance.neutral()))[0]) < 1e-4
