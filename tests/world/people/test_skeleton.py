import numpy as np
import pytest
from support.people import people_assets

from avatar_nodes.world.people.assets import Physique
from avatar_nodes.world.people.skeleton import SIDES, Hand, Pose, Skeleton

PHYSIQUE = Physique(0.5, 0.2, 0.5, 0.5, (0.3, 0.3, 0.4))


@pytest.fixture(scope="module")
def skeleton() -> Skeleton:
    assets = people_assets()
    return Skeleton(assets, assets.body(PHYSIQUE))


def moved(skeleton: Skeleton, pose: Pose, bone: str) -> np.ndarray:
    transform = skeleton.transforms(pose)[people_assets().bone[bone]]
    return transform[:, :3] @ skeleton.head(bone) + transform[:, 3]


def test_transforms_are_turns(skeleton: Skeleton) -> None:
    turns = skeleton.transforms(Pose(lean=(0.1, 0.05, 0.1), head=(0.3, 0.2, 0.1)))[:, :, :3]
    assert np.allclose(turns @ turns.transpose(0, 2, 1), np.eye(3), atol=1e-9)
    assert np.allclose(np.linalg.det(turns), 1.0)


def test_hanging_arms_hang(skeleton: Skeleton) -> None:
    for side, sign in SIDES.items():
        wrist = moved(skeleton, Pose(), f"wrist.{side}")
        assert wrist[2] < skeleton.shoulder(side)[2] - 0.3
        assert wrist[0] * sign > 0.1


@pytest.mark.parametrize("side", SIDES)
def test_a_wrist_comes_where_it_is_wanted(skeleton: Skeleton, side: str) -> None:
    sign = SIDES[side]
    for offset in ((0.05, -0.30, -0.05), (0.12, -0.22, -0.20), (-0.05, -0.30, 0.05)):
        wanted = skeleton.shoulder(side) + np.array(offset) * (sign, 1.0, 1.0)
        hand = Hand(
            wanted, np.array((0, -0.2, 1.0)), np.array((0, -1.0, 0)), np.array((sign, 0.3, -1.0))
        )
        wrist = moved(skeleton, Pose(hands={side: hand}), f"wrist.{side}")
        assert np.linalg.norm(wrist - wanted) < 0.05


def test_a_bowed_head_comes_forward_and_a_turned_one_aside(skeleton: Skeleton) -> None:
    assets = people_assets()
    nose = int(np.argmin(np.linalg.norm(assets.template - (0, -0.168, 0.69), axis=1)))
    rest = assets.body(PHYSIQUE).vertices[nose]

    def at(pose: Pose) -> np.ndarray:
        transform = skeleton.transforms(pose)[assets.bone["head"]]
        return transform[:, :3] @ rest + transform[:, 3]

    still = at(Pose())
    assert at(Pose(head=(0.0, 0.3, 0.0)))[2] < still[2] - 0.01
    assert at(Pose(head=(0.4, 0.0, 0.0)))[0] > still[0] + 0.02  # to the person's left


def test_a_shrug_raises_the_shoulders(skeleton: Skeleton) -> None:
    for side in SIDES:
        still = moved(skeleton, Pose(), f"upperarm01.{side}")
        raised = moved(skeleton, Pose(shrug=0.3), f"upperarm01.{side}")
        assert raised[2] > still[2] + 0.02
