"""The judges' networks, their folder, and what they are shown."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

from avatar_nodes.block.audio_features import MelFeatures
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.evaluation.dino import DinoJudge
from avatar_nodes.judging.action_net import JUDGED_ACTIONS, ActionNet, action_input
from avatar_nodes.judging.footage import Footage, JudgeError, mouth_crop
from avatar_nodes.judging.identity_net import IdentityNet, TinyIdentityJudge
from avatar_nodes.judging.judge_folder import JudgeFolder, save_judge
from avatar_nodes.judging.syncnet import SyncNet, TinySyncJudge, sound_columns
from avatar_nodes.world.clips import Clip, ClipSpec


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip(ClipSpec.sample(3, split="val", blocks=2))


@pytest.fixture(scope="module")
def footage(clip: Clip) -> Footage:
    return Footage.truth(clip)


def test_saved_judges_are_the_same_judges(tmp_path: Path, clip: Clip, footage: Footage) -> None:
    torch.manual_seed(0)
    nets = {"syncnet": SyncNet(), "identity": IdentityNet(), "actions": ActionNet()}
    for net in nets.values():
        for parameter in net.parameters():
            parameter.data = parameter.data.bfloat16().float()  # what the files hold
    save_judge(tmp_path, "syncnet", nets["syncnet"], {"mels": 40})
    save_judge(tmp_path, "identity", nets["identity"], {})
    save_judge(tmp_path, "actions", nets["actions"], {"actions": list(JUDGED_ACTIONS)})
    assert sum(path.stat().st_size for path in tmp_path.glob("*")) < 3e6
    folder = JudgeFolder(tmp_path)
    for found, made in zip(
        folder.sync().embed(footage),
        TinySyncJudge(nets["syncnet"]).embed(footage),  # type: ignore[arg-type]
        strict=True,
    ):
        assert torch.equal(found, made)
    one = footage.frames[:2]
    whole = TinyIdentityJudge(nets["identity"])  # type: ignore[arg-type]
    assert torch.equal(folder.identity().embed(one), whole.embed(one))
    still = footage.still(clip.reference())
    logits = folder.actions().logits(footage, still)
    assert logits.shape == (12, len(JUDGED_ACTIONS))
    assert folder.actions().features(footage, still).shape == (12, 96)


def test_a_missing_judge_is_named(tmp_path: Path) -> None:
    with pytest.raises(JudgeError, match=r"no judge `syncnet`.*avatar train judges"):
        JudgeFolder(tmp_path).sync()
    save_judge(tmp_path, "identity", IdentityNet(), {})
    (tmp_path / "identity.safetensors").unlink()
    with pytest.raises(JudgeError, match=r"identity\.safetensors"):
        JudgeFolder(tmp_path).identity()


def test_sync_windows_are_of_the_same_moments(footage: Footage) -> None:
    """A later start of the same footage gives the later windows, picture and sound alike."""
    torch.manual_seed(0)
    judge = TinySyncJudge(SyncNet())
    video, audio = judge.embed(footage)
    assert video.shape == audio.shape == (20, 96)
    assert torch.allclose(video.norm(dim=1), torch.ones(20), atol=1e-5)
    later_video, later_audio = judge.embed(footage.part(6, 24))
    assert torch.allclose(later_video, video[6:], atol=1e-5)
    # The first window's first hop looks back at sound that was cut off.
    assert torch.allclose(later_audio[1:], audio[7:], atol=1e-5)


def test_a_column_is_of_its_own_frame() -> None:
    sound = np.zeros(10 * 640, np.float32)
    sound[4 * 640 + 200 : 5 * 640] = 0.3
    loud = sound_columns(MelFeatures(BlockTiming()), sound).amax(dim=1) > -0.9
    assert loud.tolist() == [n in (4, 5) for n in range(10)]  # 5: its first window looks back


def test_the_mouth_is_in_the_middle_of_its_crop(clip: Clip) -> None:
    frame = np.zeros((256, 256, 3), np.uint8)
    x0, y0, x1, y1 = clip.mouth_box(0)
    frame[y0:y1, x0:x1] = 255
    rows, columns = np.nonzero(mouth_crop(frame, clip.search_box)[..., 0] > 128)
    assert abs(rows.mean() - 19.5) < 4 and abs(columns.mean() - 27.5) < 4


def test_action_input_is_picture_change_and_distance_from_rest() -> None:
    pictures = torch.zeros(1, 3, 3, 2, 2)
    pictures[:, 1] = 0.5
    out = action_input(pictures, torch.full((1, 1, 3, 2, 2), -0.25))
    assert out.shape == (1, 3, 8, 2, 2)
    assert out[0, :, 3, 0, 0].tolist() == [0.0, 1.0, -1.0]
    assert out[0, :, 6, 0, 0].tolist() == [0.5, 1.5, 0.5]


def test_dino_weights_from_a_folder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28,
                          patch_size=14)  # fmt: skip
    Dinov2Model(config).save_pretrained(tmp_path / "dino")
    judge = DinoJudge(tmp_path / "dino")
    frames = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    frames[1] = frames[0]
    vectors = judge.embed(frames)
    assert judge.name == "DINO (dinov2)"
    similarity = vectors @ vectors.T
    assert similarity[0, 1] == pytest.approx(1.0, abs=1e-5)
    assert similarity[0, 2] < 0.9999
    with pytest.raises(JudgeError, match=r"no config\.json"):
        DinoJudge(tmp_path)
