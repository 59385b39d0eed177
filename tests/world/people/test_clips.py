import numpy as np
import pytest
from support.people import people_studio

from avatar_nodes.world.clips import Clip, ClipSpec
from avatar_nodes.world.people import PeopleClip


@pytest.fixture(autouse=True)
def drawable() -> None:
    people_studio()


def spec(seed: int, split: str = "train") -> ClipSpec:
    return ClipSpec.sample(seed, split=split, blocks=4)


def test_sound_prompts_and_truth_are_those_of_the_drawn_clip() -> None:
    drawn, filmed = Clip(spec(3)), PeopleClip(spec(3))
    assert (drawn.sound == filmed.sound).all() and drawn.prompts == filmed.prompts
    assert (drawn.aperture == filmed.aperture).all()


def test_frames_are_pictures_of_the_asked_size() -> None:
    assert PeopleClip(spec(3)).frame(5).shape == (256, 256, 3)
    assert PeopleClip(spec(3), size=128).reference().shape == (128, 128, 3)


def test_a_camera_adds_noise_the_same_each_time() -> None:
    clear, taken = PeopleClip(spec(4)), PeopleClip(spec(4), photographed=True)
    assert taken.frame(2).tobytes() == taken.frame(2).tobytes()
    difference = np.abs(clear.frame(2).astype(int) - taken.frame(2)).mean()
    assert 0.2 < difference < 12.0


def test_the_mouth_stays_within_its_search_box() -> None:
    clip = PeopleClip(spec(5))
    x0, y0, x1, y1 = clip.search_box
    for n in (0, 20, 47):
        a, b, c, d = clip.mouth_box(n)
        assert x0 <= a and y0 <= b and c <= x1 and d <= y1


def test_no_person_is_in_two_splits() -> None:
    people = {
        split: {ClipSpec.sample(seed, split=split, blocks=4).identity for seed in range(50)}
        for split in ("train", "val", "test")
    }
    assert not people["train"] & people["test"] and not people["train"] & people["val"]
    assert PeopleClip(spec(1, "test")).person != PeopleClip(spec(1)).person


def test_an_object_is_where_its_box_says() -> None:
    for seed in range(200):
        plan = ClipSpec.sample(seed, split="train", blocks=8)
        if plan.thing is not None:
            break
    clip = PeopleClip(plan)
    seen = int(np.argmax(clip.object_visible))
    assert clip.object_visible[seen] > 0.5 and clip.object_box(seen) is not None
    hidden = int(np.argmin(clip.object_visible))
    assert clip.object_visible[hidden] == 0.0 and clip.object_box(hidden) is None
