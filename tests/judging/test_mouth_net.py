"""Mouths as the judge sees them, and judges that are asked about people they never saw."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from avatar_nodes.judging.action_net import ActionNet
from avatar_nodes.judging.clip_sync import measure_footage, speaking_clips
from avatar_nodes.judging.footage import Footage, JudgeError
from avatar_nodes.judging.judge_folder import JudgeFolder, save_judge
from avatar_nodes.judging.mouth_net import ColourReader, MouthNet, MouthShapes, mouth_view
from avatar_nodes.world.clips import Clip, ClipSpec


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip(ClipSpec.sample(3, split="val", blocks=2))


def test_a_larger_picture_shows_the_same_view(clip: Clip) -> None:
    frame, (x0, y0, x1, y1) = clip.frame(3), clip.search_box
    view = mouth_view(frame, clip.search_box)
    assert view.shape == (y1 - y0 + 32, x1 - x0 + 32, 3)
    assert np.array_equal(view[16:-16, 16:-16], frame[y0:y1, x0:x1])
    large = cv2.resize(frame, (512, 512), interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(mouth_view(large, (2 * x0, 2 * y0, 2 * x1, 2 * y1)), view)
    corner = mouth_view(frame, (-40, 250, 0, 300))
    assert (corner[0, 0] == frame[234, 0]).all() and (corner[-1, -1] == frame[255, 15]).all()


def test_footage_of_larger_pictures_is_measured_as_at_256(clip: Clip) -> None:
    whole = Footage.truth(clip)
    large = np.stack([cv2.resize(f, (512, 512), interpolation=cv2.INTER_NEAREST)
                      for f in whole.frames])  # fmt: skip
    boxes = tuple((2 * a, 2 * b, 2 * c, 2 * d) for a, b, c, d in whole.boxes)
    twice = Footage(large, boxes, whole.sound, whole.timing)
    assert np.array_equal(twice.apertures(), whole.apertures())
    assert np.array_equal(twice.mouths(), whole.mouths())
    assert np.array_equal(twice.faces(), whole.faces())
    assert whole.small() is whole


def test_a_saved_mouth_judge_reads_every_frame(tmp_path: Path, clip: Clip) -> None:
    torch.manual_seed(0)
    save_judge(tmp_path, "mouth", MouthNet(), {"people_share": 1.0})
    shapes = JudgeFolder(tmp_path, lifelike=True).mouth().read(Footage.truth(clip))
    assert shapes.aperture.shape == (24,) and shapes.rounding is not None
    assert shapes.aperture.min() >= 0.0 and shapes.aperture.max() <= 1.0


def test_what_a_reader_says_is_measured() -> None:
    clip = next(iter(speaking_clips(1, 4, "val")))

    class Knowing:
        def __init__(self, late: int) -> None:
            self._late = late

        def read(self, footage: Footage) -> MouthShapes:
            shapes = clip.performance.aperture, clip.performance.rounding
            return MouthShapes(*(np.roll(shape, self._late) for shape in shapes))

    footage = Footage.truth(clip)
    right, late = (measure_footage(clip, footage, reader=Knowing(n)) for n in (0, 3))
    assert right.sync.correlation == pytest.approx(1.0)
    assert right.rounding_corr == pytest.approx(1.0)
    assert late.sync.lag_frames == 3
    assert late.rounding_corr is not None and late.rounding_corr < 0.9
    plain = measure_footage(clip, footage)
    assert plain.rounding_corr is None
    assert plain == measure_footage(clip, footage, reader=ColourReader())


def test_judges_that_saw_drawn_people_refuse_lifelike_ones(tmp_path: Path) -> None:
    save_judge(tmp_path, "actions", ActionNet(("rest",)), {"actions": ["rest"]})
    JudgeFolder(tmp_path).actions()
    with pytest.raises(JudgeError, match=r"`actions` has seen drawn people only.*people_share"):
        JudgeFolder(tmp_path, lifelike=True).actions()
    with pytest.raises(JudgeError, match="no judge `mouth`"):
        JudgeFolder(tmp_path, lifelike=True).mouth()
