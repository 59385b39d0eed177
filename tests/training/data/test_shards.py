"""Shards keep every pixel and all truth, are made once, and say when they are damaged."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.people import people_studio

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.training.data.shards.build import build_shards
from avatar_nodes.training.data.shards.clips import ClipRecord, ShardClips, ShardError, write_shard
from avatar_nodes.training.data.shards.codec import decode_video, encode_video
from avatar_nodes.training.data.shards.tiny_world import SEED_STRIDE, WorldData
from avatar_nodes.training.data.snippets import Snippets
from avatar_nodes.world.clips import Clip, ClipSpec
from avatar_nodes.world.people.clips import PeopleClip

PLAN = WorldData(train=3, val=1, test=0, blocks=2, seed=4, clips_per_shard=2)


def build(folder: Path, plan: WorldData = PLAN, processes: int = 1) -> list[str]:
    said: list[str] = []
    build_shards(folder, plan.jobs(), processes=processes, say=said.append)
    return said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shards")
    build(path)
    return path


def test_what_comes_out_is_what_was_rendered(folder: Path) -> None:
    found = list(ShardClips(folder, "train"))
    assert [clip.key for clip in found] == ["train_00000", "train_00001", "train_00002"]
    clip = Clip(ClipSpec.sample(4 * SEED_STRIDE + 1, split="train", blocks=2))
    kept = found[1]
    assert np.array_equal(kept.frames(), np.stack([clip.frame(n) for n in range(24)]))
    assert np.abs(kept.sound - clip.sound).max() <= 0.5 / 32767 + 1e-6
    assert kept.prompts == clip.prompts
    assert np.array_equal(kept.truth["aperture"], clip.aperture)
    assert kept.mouth.tolist()[5] == list(clip.mouth_box(5))
    assert np.array_equal(kept.reference, clip.reference())
    assert kept.about["identity"] == clip.spec.identity
    assert kept.about["split"] == "train"


def test_blocks_can_be_read_alone() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (36, 32, 48, 3), dtype=np.uint8)
    data = encode_video(iter(frames), 48, 32, BlockTiming())
    assert np.array_equal(decode_video(data, 12), frames)
    assert np.array_equal(decode_video(data, 12, [2]), frames[24:])
    assert np.array_equal(
        decode_video(data, 12, [0, 2]), np.concatenate([frames[:12], frames[24:]])
    )
    with pytest.raises(ValueError, match=r"no blocks \[7\]"):
        decode_video(data, 12, [7])


def test_the_same_plan_gives_the_same_bytes_however_many_processes(
    folder: Path, tmp_path: Path
) -> None:
    build(tmp_path, processes=2)
    for path in folder.glob("*.tar"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_whole_shards_are_kept_and_half_ones_redone(folder: Path) -> None:
    kept, half = folder / "train-00000.tar", folder / "train-00001.tar"
    before, whole = kept.stat().st_mtime_ns, half.read_bytes()
    half.unlink()
    half.with_suffix(".partial").write_bytes(whole[:999])
    said = build(folder)
    assert said[0] == "2 of 3 shards are there already"
    assert "shard 1 of 1" in said[1]
    assert kept.stat().st_mtime_ns == before
    assert half.read_bytes() == whole
    assert not list(folder.glob("*.partial"))


def test_shards_of_another_plan_are_named_and_left_alone(folder: Path) -> None:
    other = WorldData(train=3, val=1, test=0, blocks=2, seed=5, clips_per_shard=2)
    with pytest.raises(ShardError, match=r"train-00000.tar was made with seed 4, not 5"):
        build(folder, other)
    fewer = WorldData(train=2, val=1, test=0, blocks=2, seed=4, clips_per_shard=2)
    with pytest.raises(ShardError, match=r"train-00001.tar is not of this plan"):
        build(folder, fewer)


def test_parts_share_the_shards(folder: Path) -> None:
    parts = [[c.key for c in ShardClips(folder, "train", part=p, parts=2)] for p in range(2)]
    assert parts == [["train_00000", "train_00001"], ["train_00002"]]
    assert len(ShardClips(folder, "train", part=1, parts=2)) == 1
    assert not list(ShardClips(folder, "train", part=2, parts=3))
    with pytest.raises(FileNotFoundError, match="no test shards"):
        ShardClips(folder, "test")


@pytest.mark.parametrize("end", [700, 9000])
def test_a_damaged_shard_is_named(folder: Path, tmp_path: Path, end: int) -> None:
    data = (folder / "val-00000.tar").read_bytes()
    (tmp_path / "val-00000.tar").write_bytes(data[:end])
    with pytest.raises(ShardError, match=r"val-00000.tar.*avatar train data"):
        for clip in ShardClips(tmp_path, "val"):
            clip.frames(), clip.sound, clip.truth


def test_sound_of_another_length_is_refused() -> None:
    frame = np.zeros((16, 16, 3), np.uint8)
    record = ClipRecord("a", (16, 16), [frame] * 12, np.zeros(99, np.float32), ("x",), {}, {})
    with pytest.raises(ValueError, match="99 samples for 1 blocks"):
        record.encode()


def test_snippets_come_from_every_clip_and_mouths_stay_in_place(folder: Path) -> None:
    snippets = Snippets.read(folder, count=5, threads=2)
    assert len(snippets) == 5
    clips = list(ShardClips(folder, "train"))
    assert [key for key, _ in snippets.sources] == [clips[i].key for i in (0, 0, 1, 1, 2)]
    for index, (key, block) in enumerate(snippets.sources):
        frames, boxes = snippets.whole(index)
        clip = [clip.key for clip in clips].index(key)
        span = slice(block * 12, block * 12 + 12)
        expected = torch.from_numpy(clips[clip].frames()[span]).permute(0, 3, 1, 2)
        assert torch.equal(frames[0].add(1).mul(127.5).round().byte(), expected)
        assert boxes.tolist() == clips[clip].mouth[span].tolist()
    crops = snippets.crops(np.random.default_rng(0), 4, 96, 3.0)
    pixels, weights = crops.frames, crops.weights
    assert crops.references.shape == (4, 3, 96, 96)
    assert pixels.shape == (4, 12, 3, 96, 96) and weights.shape == (4, 12, 1, 96, 96)
    assert set(weights.unique().tolist()) == {1.0, 3.0}
    heavy = snippets.crops(np.random.default_rng(0), 4, 96, 3.0, motion_weight=5.0)
    assert torch.equal(heavy.frames, crops.frames)
    difference = (heavy.frames - heavy.references[:, None]).abs().amax(dim=2, keepdim=True) * 127.5
    assert (heavy.weights[difference > 25] == 5.0).all() and (difference > 25).any()
    still = difference < 23
    assert torch.equal(heavy.weights[still], crops.weights[still])


def test_snippets_are_of_other_blocks_in_every_clip(tmp_path: Path) -> None:
    plan = WorldData(train=6, val=0, test=0, blocks=4, seed=3, clips_per_shard=6)
    build_shards(tmp_path, plan.jobs(), processes=1, say=lambda line: None)
    blocks = {block for _, block in Snippets.read(tmp_path, count=6).sources}
    assert len(blocks) > 1


def test_pictures_need_not_be_square_nor_mouths_be_known(tmp_path: Path) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (24, 64, 96, 3), dtype=np.uint8)
    record = ClipRecord(
        "train_0", (96, 64), list(frames), np.zeros(2 * 7680, np.float32), ("talks", "nods"), {},
        {"mouth": np.zeros((24, 4), np.int16), "reference": frames[0]},
    )  # fmt: skip
    assert write_shard(tmp_path / "train-0.tar", [record]) == 1
    (tmp_path / "train-0.json").write_text(json.dumps({"clips": 1}))
    snippets = Snippets.read(tmp_path, count=2)
    crops = snippets.crops(np.random.default_rng(0), 8, 64, 3.0)
    pixels, weights = crops.frames, crops.weights
    assert pixels.shape == (8, 12, 3, 64, 64) and (weights == 1.0).all()


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(ValueError, match="blocks"):
        WorldData(blocks=0)
    with pytest.raises(ValueError, match="negative"):
        WorldData(val=-1)


def test_a_share_of_the_clips_is_of_lifelike_people(tmp_path: Path) -> None:
    people_studio()
    plan = WorldData(train=2, val=0, test=0, blocks=1, seed=4, people_share=1.0)
    build(tmp_path, plan)
    clip = next(iter(ShardClips(tmp_path, "train")))
    assert clip.about["source"] == "people"
    spec = ClipSpec.sample(4 * SEED_STRIDE, split="train", blocks=1)
    same = PeopleClip(spec, photographed=True)
    assert np.array_equal(clip.frames()[3], same.frame(3))
    assert np.array_equal(clip.reference, same.reference())
    assert clip.mouth.tolist()[3] == list(same.mouth_box(3))
    with pytest.raises(ShardError, match="people_share"):
        build(tmp_path, WorldData(train=2, val=0, test=0, blocks=1, seed=4))


def test_a_share_is_a_share() -> None:
    with pytest.raises(ValueError, match="people_share must be within"):
        WorldData(people_share=1.2)
