"""Clips and their encoding: deterministic, aligned, split by person and by sentence."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.training_run import write_run

from avatar_nodes.block.audio_features import MelFeatures
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.model.tiny_vae import TinyVAE
from avatar_nodes.model.tiny_vae_config import TinyVAEConfig
from avatar_nodes.training.data.clip_files import ClipFiles
from avatar_nodes.training.data.encoded import EncodedClips, WindowError
from avatar_nodes.training.data.encoding import mouth_cells, write_encoded
from avatar_nodes.training.data.shards.build import build_shards
from avatar_nodes.training.data.shards.clips import ClipRecord, ShardClips, write_shard
from avatar_nodes.training.data.shards.tiny_world import WorldData
from avatar_nodes.training.stages.vae import ParameterAverage, export_vae
from avatar_nodes.world import synthesise
from avatar_nodes.world.clips import Clip, ClipSpec
from avatar_nodes.world.voices import UNHEARD_VOICES, VOICES

SMALL = TinyVAEConfig(
    latent_channels=8, encoder_channels=(16, 16, 16, 32), decoder_channels=(32, 16, 16, 48)
)

ONE_CLIP = WorldData(train=1, val=0, test=0, blocks=4, seed=1)


def test_a_clip_is_a_function_of_its_spec() -> None:
    spec = ClipSpec.sample(3, split="train", blocks=4)
    a, b = Clip(spec), Clip(spec)
    assert np.array_equal(a.sound, b.sound)
    assert a.prompts == b.prompts
    assert np.array_equal(a.frame(17), b.frame(17))


@pytest.mark.parametrize("latents", [1, 2])
def test_a_clip_for_a_model_of_sixteen_frames_a_second(latents: int) -> None:
    timing = BlockTiming(frame_rate=16, latents_per_block=latents, sample_rate=32_000)
    clip = Clip(ClipSpec.sample(3, split="train", blocks=6, timing=timing))
    usual = Clip(ClipSpec.sample(3, split="train", blocks=6))
    assert clip.prompts == usual.prompts
    assert clip.performance.num_frames == 6 * timing.frames_per_block == len(clip.aperture)
    assert len(clip.sound) == 6 * timing.samples_per_block
    assert clip.frame(6 * timing.frames_per_block - 1).shape == (256, 256, 3)


def test_lips_move_with_the_sound_at_any_frame_rate() -> None:
    usual = Clip(ClipSpec.sample(3, split="train", blocks=25))
    timing = BlockTiming(frame_rate=16)
    slow = Clip(ClipSpec.sample(3, split="train", blocks=16, timing=timing))
    ends = (np.arange(16 * 12) + 1) / 16
    between = np.interp(ends, (np.arange(25 * 12) + 1) / 25, usual.aperture)
    assert usual.aperture.max() > 0.5
    assert np.corrcoef(slow.aperture, between)[0, 1] > 0.95


def test_prompts_change_where_the_action_does() -> None:
    spec = next(s for s in map(_spec, range(50)) if any(n != "rest" for n, _, _ in s.actions))
    _, first, last = next(a for a in spec.actions if a[0] != "rest")
    prompts = Clip(spec).prompts
    assert len(prompts) == spec.blocks
    assert len(set(prompts[first:last])) == 1


def test_splits_share_no_person() -> None:
    people = {
        split: {ClipSpec.sample(s, split=split, blocks=4).identity for s in range(200)}
        for split in ("train", "val", "test")
    }
    assert not people["train"] & people["test"]
    assert not people["train"] & people["val"]
    assert not people["val"] & people["test"]


def test_about_a_third_of_clips_have_an_object_and_of_those_a_third_show_it_again() -> None:
    for blocks in (12, 40):
        specs = [ClipSpec.sample(s, split="train", blocks=blocks) for s in range(400)]
        shows = [sum(name == "show" for name, _, _ in spec.actions) for spec in specs]
        assert all(
            (count > 0) == (s.thing is not None) for count, s in zip(shows, specs, strict=True)
        )
        having = [count for count in shows if count]
        assert 0.22 < len(having) / 400 < 0.38
        assert 0.22 < sum(count > 1 for count in having) / len(having) < 0.45
    assert len({spec.thing for spec in specs if spec.thing}) > 40


def test_the_truth_about_an_object_follows_its_actions() -> None:
    spec = next(s for s in map(_spec, range(99)) if s.thing and s.actions[0][0] != "show")
    clip = Clip(spec)
    asked = np.zeros(spec.blocks * 12, bool)
    for name, first, last in spec.actions:
        if name == "show":
            asked[first * 12 + 9 : last * 12] = True
            assert all(spec.thing.name in line for line in clip.prompts[first:last])
    assert (clip.object_visible[asked] == 1.0).all()
    assert clip.object_visible.max() == 1.0 and clip.object_visible.min() == 0.0
    hidden = int(np.argmin(clip.object_visible))
    assert clip.object_box(hidden) is None
    x0, y0, x1, y1 = clip.object_box(int(np.argmax(asked)))
    assert 0 <= x0 < x1 <= 256 and 0 <= y0 < y1 <= 256


def test_unheard_voices_are_heard_in_no_other_clip() -> None:
    for language, voices in UNHEARD_VOICES.items():
        assert not set(voices) & set(VOICES[language])
        timbres = {v.partition("+")[2] for v in voices}
        assert not timbres & {v.partition("+")[2] for known in VOICES.values() for v in known}
        for voice in voices:
            assert len(synthesise("One two.", voice=voice).samples) > 1600
    with pytest.raises(ValueError, match="test split only"):
        ClipSpec.sample(0, split="train", blocks=4, unheard_voice=True)
    plain = ClipSpec.sample(7, split="test", blocks=12)
    unheard = ClipSpec.sample(7, split="test", blocks=12, unheard_voice=True)
    assert (plain.identity, plain.actions) == (unheard.identity, unheard.actions)
    assert not np.array_equal(Clip(plain).sound, Clip(unheard).sound)


def test_a_share_of_the_clips_has_another_synthesiser_s_voice() -> None:
    specs = [ClipSpec.sample(n, split="train", blocks=4, other_voice_share=0.3) for n in range(200)]
    assert 40 < sum(spec.other_voice for spec in specs) < 80
    assert not any(ClipSpec.sample(n, split="train", blocks=4).other_voice for n in range(50))
    with pytest.raises(ValueError, match=r"other_voice_share must be within 0\.\.1"):
        WorldData(other_voice_share=1.5)


def test_mouth_cells_cover_the_box_of_all_four_frames() -> None:
    boxes = [(32, 32, 48, 40), (40, 32, 50, 40), (32, 32, 48, 40), (32, 30, 48, 40)]
    mask = mouth_cells(boxes, 16, (8, 8), 4)
    assert mask.shape == (1, 8, 8)
    assert np.argwhere(mask[0]).tolist() == [[1, 2], [2, 2], [2, 3]]


def test_encoded_windows_carry_the_sound_of_their_own_blocks(tmp_path: Path) -> None:
    torch.manual_seed(0)
    _write_vae(tmp_path / "vae")
    threads = torch.get_num_threads()
    build_shards(tmp_path / "shards", ONE_CLIP.jobs(), processes=1, say=lambda _: None)
    write_encoded(tmp_path, shards=tmp_path / "shards", vae_folder=tmp_path / "vae", split="train")
    torch.set_num_threads(threads)
    data = EncodedClips(tmp_path, "train")
    clip = next(iter(ShardClips(tmp_path / "shards", "train")))
    features = MelFeatures(BlockTiming())
    sound = np.concatenate([np.zeros(features.context_samples, np.float32), clip.sound])
    third = features.block(sound[2 * 7680 : 3 * 7680 + features.context_samples]).numpy()
    assert np.abs(data.audio(0, 2, 1)[0] - third).max() < 2e-3  # kept as float16
    batch = data.batch(np.random.default_rng(0), 2, 3)
    assert batch.latents.shape == (2, 3, 8, 3, 16, 16)
    assert batch.sink.shape == (2, 8, 1, 16, 16)
    assert batch.audio.shape == (2, 3, 1, features.dim, 17)
    assert batch.mouth.shape == (2, 3, 1, 3, 16, 16) and batch.mouth.max() == 1
    assert batch.prompt_index.max() < len(batch.prompts)
    assert {batch.prompts[i] for i in batch.sink_prompt} == {clip.prompts[0]}
    later = data.windows(np.random.default_rng(0), [(0, 1)] * 40, 1, reference_share=0.5)
    truth = torch.from_numpy(data.clips[0]["latents"]).float()
    kinds = [truth[:3], torch.from_numpy(data.clips[0]["reference"]).float()]
    for sink, motion, latents in zip(later.sink, later.motion, later.latents, strict=True):
        assert any((sink[:, 0] == frame).all() for kind in kinds for frame in kind), "the past"
        still = ((latents[0] - sink).abs().mean(dim=0) < 0.15)[None, None]
        assert torch.equal(motion == 0.0, still)
    assert len({sink.sum().item() for sink in later.sink}) > 2


def test_a_window_draws_one_of_the_ways_in_which_its_sound_was_heard(tmp_path: Path) -> None:
    pytest.importorskip("pedalboard", reason="no pedalboard here: it comes with the training extra")
    torch.manual_seed(0)
    _write_vae(tmp_path / "vae")
    threads = torch.get_num_threads()
    build_shards(tmp_path / "shards", ONE_CLIP.jobs(), processes=1, say=lambda _: None)
    folders = {"shards": tmp_path / "shards", "vae_folder": tmp_path / "vae"}
    write_encoded(tmp_path, split="train", hearings=2, **folders)
    torch.set_num_threads(threads)
    data = EncodedClips(tmp_path, "train")
    ways = [data.audio(0, 1, 1, hearing=hearing) for hearing in range(3)]
    assert {way.shape for way in ways} == {(1, 1, 160, 17)}
    assert len({way.tobytes() for way in ways}) == 3

    def drawn(gain_db: float) -> set[int]:
        rng = np.random.default_rng(0)
        windows = data.windows(rng, [(0, 1)] * 30, 1, gain_db=gain_db)
        return {
            int(np.argmin([np.abs(window.numpy() - way).max() for way in ways]))
            for window in windows.audio
        }

    assert drawn(1e-6) == {0, 1, 2}
    assert drawn(0.0) == {0}


def test_clips_shorter_than_a_window_are_named(tmp_path: Path) -> None:
    data = EncodedClips(write_run(tmp_path) / "encoded", "train")
    blocks = min(len(lines) for lines in data.prompts)
    data.batch(np.random.default_rng(0), 1, blocks)
    with pytest.raises(
        WindowError, match=rf"has {blocks} blocks, windows are to have {blocks + 1}"
    ):
        data.batch(np.random.default_rng(0), 1, blocks + 1)


def test_clips_of_another_shape_without_known_mouths_are_encoded_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    _write_vae(tmp_path / "vae")
    frames = np.random.default_rng(1).integers(0, 256, (24, 64, 96, 3), dtype=np.uint8)
    truth = {"mouth": np.zeros((24, 4), np.int16), "reference": frames[0]}
    sound = np.zeros(2 * 7680, np.float32)
    record = ClipRecord("train_7", (96, 64), list(frames), sound, ("talks", "nods"), {}, truth)
    write_shard(tmp_path / "train-0.tar", [record])
    (tmp_path / "train-0.json").write_text('{"clips": 1}')
    threads = torch.get_num_threads()
    write_encoded(tmp_path / "out", shards=tmp_path, vae_folder=tmp_path / "vae", split="train")
    torch.set_num_threads(threads)
    (clip,) = EncodedClips(tmp_path / "out", "train").clips
    assert clip["latents"].shape == (6, 8, 4, 6)
    assert clip["mouth"].shape == (6, 4, 6) and not clip["mouth"].any()
    assert "aperture" not in clip


def _spec(seed: int) -> ClipSpec:
    return ClipSpec.sample(seed, split="train", blocks=16)


class _Pictures:
    """Stands where snippets do: random pictures to measure the latents' statistics on."""

    def spread(self, count: int) -> list[int]:
        return list(range(4))

    def whole(self, index: int) -> tuple[torch.Tensor, None]:
        generator = torch.Generator().manual_seed(index)
        return torch.rand(1, 4, 3, 32, 32, generator=generator) * 2 - 1, None


def _write_vae(folder: Path) -> None:
    vae = TinyVAE(SMALL)
    average = ParameterAverage(vae, decay=0.9)
    export_vae(vae, average, folder, measured_on=_Pictures())  # type: ignore[arg-type]


def test_exported_statistics_make_latents_standard(tmp_path: Path) -> None:
    torch.manual_seed(0)
    _write_vae(tmp_path)
    vae = TinyVAE(TinyVAEConfig.from_json(tmp_path / "config.json"))
    torch.manual_seed(0)
    vae.load_state_dict(TinyVAE(SMALL).state_dict())
    z = torch.cat([vae.encode(_Pictures().whole(i)[0]) for i in range(4)])
    assert z.mean(dim=(0, 1, 3, 4)).abs().max() < 1e-3
    assert (z.std(dim=(0, 1, 3, 4)) - 1).abs().max() < 1e-3


def test_clips_that_do_not_fit_are_read_again(tmp_path: Path) -> None:
    paths = [tmp_path / f"train_{number}.npz" for number in range(3)]
    for number, path in enumerate(paths):
        np.savez(path, latents=np.full(100, number, np.float32), prompts=np.array("[]"))
    clips = ClipFiles(paths, held_bytes=900)
    assert [int(clips[number]["latents"][0]) for number in range(3)] == [0, 1, 2]
    assert clips[0] is clips[0] and clips[1] is clips[1]
    assert clips[2] is not clips[2]
    assert str(clips.one(2, "prompts")) == "[]"
    with pytest.raises(IndexError):
        clips[3]
