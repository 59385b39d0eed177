"""The large model's audio features: no frame is lost, and a stream's are the whole file's."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from support import golden
from support.wan_audio import write_wav2vec
from torch import Tensor
from torch.testing import assert_close

from avatar_nodes.block.audio_window import AudioWindow, blocks_and_what_follows
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.model.wav2vec import Wav2Vec, load_wav2vec
from avatar_nodes.model.wav2vec_features import (
    Wav2VecFeatures,
    interpolated,
    place_of,
    sample_of,
)

TIMING = BlockTiming()
FRAME, BLOCK = 640, 7680
BUCKETS = json.loads((golden.FOLDER / "audio_encoder/bucket_indices.json").read_text())["cases"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Wav2Vec:
    return load_wav2vec(write_wav2vec(tmp_path_factory.mktemp("wav2vec")))


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Ten blocks: a tone that comes and goes, and noise."""
    n = 10 * BLOCK
    seconds = np.arange(n) / 16_000
    tone = np.sin(2 * np.pi * 180 * seconds) * np.sin(2 * np.pi * 1.7 * seconds)
    noise = np.random.default_rng(0).standard_normal(n)
    return (0.3 * tone + 0.02 * noise).astype(np.float32)


def test_resampling() -> None:
    """The public code's: end points aligned, 49 states to 29 samples."""
    data = golden.load("audio_encoder/resample_50_to_30")
    states, expected = data["features_50hz"], data["features_30hz"]
    places = torch.linspace(0, 48, 29, dtype=torch.float64).tolist()
    found = interpolated(states.transpose(1, 2), places).transpose(1, 2)
    assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("case", BUCKETS, ids=lambda c: f"{c['fps']} fps, {c['audio_frames_30hz']}")
def test_samples_of_frames(case: dict[str, object]) -> None:
    length, fps = case["audio_frames_30hz"], case["fps"]
    chosen = [sample_of(frame, fps) for frame in range(len(case["source_index"]))]
    assert [s if s < length else -1 for s in chosen] == case["source_index"]


def test_places_are_at_most_a_sample_from_the_frame() -> None:
    places = np.array([place_of(frame, 25) for frame in range(1000)])
    assert np.abs(places - 2 * np.arange(1000)).max() < 0.68  # 14 ms


def _stream(features: Wav2VecFeatures, sound: np.ndarray, blocks: int) -> list[Tensor]:
    context, ahead = features.context_samples, features.lookahead_samples
    padded = np.concatenate([np.zeros(context, np.float32), sound, np.zeros(ahead, np.float32)])
    windows = (padded[b * BLOCK : (b + 1) * BLOCK + context + ahead] for b in range(blocks))
    return [features.block(window, number) for number, window in enumerate(windows)]


def test_a_window_over_the_whole_file_gives_the_whole_files_columns(
    model: Wav2Vec, sound: np.ndarray
) -> None:
    """The last block of each length of stream has heard all of it: nothing depends on the cut."""
    features = Wav2VecFeatures(model, TIMING, context_s=10.0, lookahead_s=0.04)
    for blocks in range(1, 11):
        cut = np.concatenate([sound[: blocks * BLOCK], np.zeros(FRAME, np.float32)])
        whole = features.columns(cut)
        last = _stream(features, cut[: blocks * BLOCK], blocks)[-1]
        assert whole.shape == (4, 32, 5 + 12 * blocks)
        assert_close(last, whole[..., -17:], atol=2e-5, rtol=0)


@pytest.mark.parametrize("end", [9 * BLOCK, 9 * BLOCK + 4321, 10 * BLOCK])
def test_windows_over_a_whole_stream_give_its_columns_however_it_is_cut(
    model: Wav2Vec, sound: np.ndarray, end: int
) -> None:
    """Every block, with a block of silence behind the last one: as `avatar render` hears a file."""
    features = Wav2VecFeatures(model, TIMING, context_s=10.0, lookahead_s=10.0)
    samples = np.round(sound[:end] * 32767).astype(np.int16)
    window = AudioWindow(BLOCK, features.context_samples, features.lookahead_samples)
    parts = []
    for number, (block, ahead) in enumerate(blocks_and_what_follows(samples, BLOCK)):
        heard = window.push(block, ahead, ends=True)
        rest = len(heard) - features.context_samples - BLOCK
        parts.append(features.block(heard, number, ahead_samples=rest)[..., 5:])
    filled = np.pad(samples, (0, -end % BLOCK + BLOCK)).astype(np.float32) / 32768
    whole = features.columns(filled)[..., 5 : 5 + 12 * len(parts)]
    assert_close(torch.cat(parts, dim=-1), whole, atol=2e-5, rtol=0)


def test_context_may_be_copies_of_a_blocks_first_column(model: Wav2Vec, sound: np.ndarray) -> None:
    """As the public code, which gives its audio encoder copies of each block's first column."""
    hears = Wav2VecFeatures(model, TIMING, context_s=4.0, lookahead_s=0.16)
    repeats = Wav2VecFeatures(
        model, TIMING, context_s=4.0, lookahead_s=0.16, context_columns="repeated"
    )
    for heard, copied in zip(_stream(hears, sound, 5), _stream(repeats, sound, 5), strict=True):
        assert torch.equal(copied[..., 5:], heard[..., 5:])
        assert torch.equal(copied[..., :5], heard[..., 5:6].expand(-1, -1, 5))
    assert not torch.equal(heard[..., :5], copied[..., :5])


def test_a_levelled_window_is_not_divided_again(model: Wav2Vec, sound: np.ndarray) -> None:
    """The silence around speech does not matter then, but to what is heard of it."""
    own = Wav2VecFeatures(model, TIMING, context_s=4.0, lookahead_s=0.16)
    levelled = Wav2VecFeatures(model, TIMING, context_s=4.0, lookahead_s=0.16, loudness="speech")
    assert own.speech_level() is None and levelled.speech_level() is not None
    window = sound[: levelled.context_samples + BLOCK + levelled.lookahead_samples]
    unit = (window - window.mean()) / np.sqrt(window.var() + 1e-7)
    assert_close(levelled.block(unit, 9), own.block(window, 9), atol=1e-4, rtol=0)
    assert_close(own.block(0.1 * window, 9), own.block(window, 9), atol=0.05, rtol=0)
    assert not torch.equal(levelled.block(0.1 * unit, 9), levelled.block(unit, 9))


@pytest.mark.parametrize("latents", [1, 2])
def test_sixteen_frames_a_second(model: Wav2Vec, sound: np.ndarray, latents: int) -> None:
    """A frame is no whole number of states then: windows begin where a state does."""
    timing = BlockTiming(frame_rate=16, latents_per_block=latents)
    features = Wav2VecFeatures(model, timing, context_s=10.0, lookahead_s=10.0)
    size, frames = timing.samples_per_block, timing.frames_per_block
    samples = np.round(sound[: 5 * 8000] * 32767).astype(np.int16)
    window = AudioWindow(size, features.context_samples, features.lookahead_samples)
    parts = []
    for number, (block, ahead) in enumerate(blocks_and_what_follows(samples, size)):
        heard = window.push(block, ahead, ends=True)
        rest = len(heard) - features.context_samples - size
        parts.append(features.block(heard, number, ahead_samples=rest)[..., 5:])
    filled = np.pad(samples, (0, size)).astype(np.float32) / 32768
    whole = features.columns(filled)[..., 5 : 5 + frames * len(parts)]
    assert_close(torch.cat(parts, dim=-1), whole, atol=2e-5, rtol=0)


def test_windows_of_a_long_stream_at_sixteen_frames_a_second(model: Wav2Vec) -> None:
    """Places repeat every sixteen frames, however long the stream is."""
    timing = BlockTiming(frame_rate=16, latents_per_block=1)
    features = Wav2VecFeatures(model, timing, context_s=1.0, lookahead_s=0.16)
    size = features.context_samples + timing.samples_per_block + features.lookahead_samples
    window = np.random.default_rng(1).standard_normal(size).astype(np.float32)
    late, later = features.block(window, 12), features.block(window, 12 + 4_000_000)
    assert torch.equal(late, later)
    assert not torch.equal(features.block(window, 13), late)
    for number in range(40):
        assert features.block(window, number).shape[-1] == 9


def test_another_sample_rate(model: Wav2Vec) -> None:
    with pytest.raises(ValueError, match="hears 16000 Hz, not 48000"):
        Wav2VecFeatures(model, BlockTiming(sample_rate=48_000), context_s=1.0, lookahead_s=0.16)


@pytest.mark.parametrize("lookahead_s", [0.16, 0.32, 0.96])
def test_every_frame_has_its_column(model: Wav2Vec, sound: np.ndarray, lookahead_s: float) -> None:
    """Close to the whole file's. What is left is what a window cannot know: the loudness of the
    file, which the sound is divided by, and sound beyond, which every layer attends to."""
    features = Wav2VecFeatures(model, TIMING, context_s=4.0, lookahead_s=lookahead_s)
    silence = np.zeros(features.lookahead_samples, np.float32)
    whole = features.columns(np.concatenate([sound, silence]))[..., 5:125]
    joined = torch.cat([c[..., 5:] for c in _stream(features, sound, 10)], dim=-1)
    assert joined.shape == whole.shape == (4, 32, 120)
    error = (joined - whole).norm(dim=(0, 1)) / whole.norm(dim=(0, 1))
    assert error.mean() < 0.08 and error.max() < 0.3


def test_a_block_heard_alone_loses_its_last_frame(model: Wav2Vec, sound: np.ndarray) -> None:
    """What the windows are for: 23 states, where the twelve frames need 24."""
    alone = model.hidden_states(torch.from_numpy(sound[:BLOCK]))
    assert alone.shape[-1] == 23
    second_block = [place_of(frame, 25) - 24 for frame in range(12, 24)]
    with pytest.raises(ValueError, match="of 23 states"):
        interpolated(alone, second_block)


def test_blocks_overlap_in_their_context(model: Wav2Vec, sound: np.ndarray) -> None:
    """The five columns before a block are those that its predecessor ended with, heard again."""
    features = Wav2VecFeatures(model, TIMING, context_s=4.0, lookahead_s=0.16)
    blocks = _stream(features, sound, 10)
    first = blocks[0]
    assert torch.equal(first[..., :5], first[..., 5:6].expand(-1, -1, 5))
    for before, after in pairwise(blocks):
        again = (after[..., :5] - before[..., -5:]).norm() / before[..., -5:].norm()
        assert 0 < again < 0.2


def test_the_look_ahead_is_heard(model: Wav2Vec, sound: np.ndarray) -> None:
    features = Wav2VecFeatures(model, TIMING, context_s=1.0, lookahead_s=0.16)
    window = sound[: features.context_samples + BLOCK + features.lookahead_samples].copy()
    before = features.block(window, 5)
    window[-100:] += 0.3
    assert not torch.equal(features.block(window, 5), before)


def test_the_phase_of_the_frames_goes_on_from_block_to_block(model: Wav2Vec) -> None:
    """Places repeat every five frames; a block has twelve."""
    features = Wav2VecFeatures(model, TIMING, context_s=1.0, lookahead_s=0.16)
    size = features.context_samples + BLOCK + features.lookahead_samples
    window = np.random.default_rng(1).standard_normal(size).astype(np.float32)
    late, later = features.block(window, 10), features.block(window, 10_000_000)
    assert torch.equal(late, later)
    assert not torch.equal(features.block(window, 11), late)


@pytest.mark.parametrize("size", [0, 100, BLOCK])
def test_parts_of_a_frame_are_refused(model: Wav2Vec, size: int) -> None:
    features = Wav2VecFeatures(model, TIMING, context_s=1.0, lookahead_s=0.16)
    with pytest.raises(ValueError, match="whole frames"):
        features.block(np.zeros(size, np.float32))


def test_places_beyond_the_states() -> None:
    with pytest.raises(ValueError, match="of 4 states"):
        interpolated(torch.zeros(2, 4), [0.0, 3.5])
