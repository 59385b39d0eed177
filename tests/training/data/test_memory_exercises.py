"""What visual memory is taught with: which frames are remembered, and what the prompts say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.training_run import BLOCKS, write_run
from torch import Tensor

from avatar_nodes.training.data.encoded import EncodedClips, motion_cells
from avatar_nodes.training.data.memory_exercises import (
    Exercise,
    MemorySizes,
    RememberingBatch,
    continuation,
    exercises,
    partial,
    recall,
    reconstruction,
    showing,
    things_seen,
    unnamed,
)
from avatar_nodes.training.data.window_batch import WindowBatch

SIZES = MemorySizes(short=6, long=4, lag=2)
BALL, CUP, IT = "A person shows a red ball.", "A person shows a blue cup.", "A person shows it."


def _numbered(count: int) -> Tensor:
    """Frames that tell their number."""
    return torch.arange(count).float().view(-1, 1, 1, 1).expand(count, 2, 4, 4).clone()


def _shown(frames: Tensor) -> list[int | None]:
    """The number of each frame; None for noise."""
    return [int(f[0, 0, 0]) if torch.equal(f, f[:1, :1, :1].expand_as(f)) else None for f in frames]


def _numbers(frames: Tensor) -> list[int]:
    return [n for n in _shown(frames) if n is not None]


def test_a_block_is_reconstructed_from_its_own_frames_or_an_anchor() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        exercise = reconstruction(_numbered(15), 1, SIZES, 0.5, rng)
        target = set(range(3 * exercise.first, 3 * exercise.first + 3))
        short, (anchor, *rest) = _shown(exercise.short), _shown(exercise.long)
        assert (len(short), rest) == (6, [None] * 3)
        assert anchor is not None and anchor not in target
        whole = {n for n in short if n is not None} & target
        inside += len(whole) == 3
        assert min(abs(anchor - n) for n in target) <= 1 + 6  # nearer ones are in short memory
    assert 40 < inside < 180


def test_masking_leaves_the_share_that_is_kept() -> None:
    rng = np.random.default_rng(1)
    shown = [
        n is not None and n not in range(3 * made.first, 3 * made.first + 3)
        for made in (reconstruction(_numbered(15), 1, SIZES, 0.25, rng) for _ in range(300))
        for n in _shown(made.short)
    ]
    assert 0.1 < np.mean(shown) < 0.25


def test_a_continuation_has_a_change_of_the_prompt_where_it_can() -> None:
    rng = np.random.default_rng(3)
    sizes = MemorySizes(12, 12, 4)
    made = {continuation(_numbered(36), 3, sizes, rng, changes=[2, 8]).first for _ in range(60)}
    assert made == {6, 7}, "block 8 is the second or the third; block 2 is too early"
    made = {continuation(_numbered(36), 3, sizes, rng, changes=[2]).first for _ in range(60)}
    assert made == {7, 8, 9}, "none can be there"


def test_a_continuation_has_the_history_of_the_stream() -> None:
    rng = np.random.default_rng(2)
    seen: set[int] = set()
    for _ in range(50):
        made = continuation(_numbered(15), 1, SIZES, rng)
        assert made.first == 4  # the last of five blocks
        assert _shown(made.short) == [3, 4, 5, 6, 7, 8]  # up to the second block before it
        long = _numbers(made.long)
        assert len(long) == 4 and long == sorted(long)
        seen |= set(long)
    assert seen == set(range(3))


def test_the_last_block_of_a_window_has_the_memory_of_the_stream() -> None:
    rng = np.random.default_rng(3)
    firsts = set()
    for _ in range(60):
        made = continuation(_numbered(36), 3, MemorySizes(12, 12, 4), rng)
        end = 3 * (made.first + 2 - 4 + 1)  # four blocks behind the window's third
        assert _shown(made.short) == list(range(end - 12, end))
        assert max(_numbers(made.long)) < end - 12
        firsts.add(made.first)
    assert firsts == {7, 8, 9}


def test_a_thing_is_recalled_from_one_to_three_of_the_key_frames() -> None:
    """Twelve blocks; a thing is shown in blocks 1 and 2, and again in 8 and 9."""
    things = [None, "red ball", "red ball", *[None] * 5, "red ball", "red ball", None, None]
    shows = showing(things)
    assert np.flatnonzero(shows).tolist() == [6, 7, 8, 27, 28, 29]
    counts, windows = set(), set()
    for seed in range(120):
        rng = np.random.default_rng(seed)
        made = recall(_numbered(36), shows, 2, MemorySizes(6, 8, 4), rng)
        assert made is not None
        target = set(range(3 * made.first, 3 * made.first + 6))
        long, short = _numbers(made.long), _numbers(made.short)
        assert (len(long), len(short)) == (8, 6)
        assert short == sorted(short)
        assert target & set(np.flatnonzero(shows))  # the window shows it
        assert not target & {*long, *short}
        of_thing = [n for n in long if shows[n]]
        assert len(set(of_thing)) == len(of_thing)
        assert not [n for n in short if shows[n]]
        assert {*made.seen.tolist()} == {*long, *short}
        counts.add(len(of_thing))
        windows.add(made.first)
    assert counts == {1, 2, 3}
    assert windows == {1, 2, 8, 9}


def test_a_thing_shown_once_is_recalled_from_the_windows_own_frames() -> None:
    shows = showing([None, None, "red ball", "red ball", *[None] * 8])
    made = recall(_numbered(36), shows, 3, MemorySizes(6, 8, 4), np.random.default_rng(0))
    assert made is not None
    assert {n for n in _numbers(made.long) if shows[n]} <= {9, 10, 11}


@pytest.mark.parametrize("things", [[None] * 12, ["red ball"] * 12], ids=["nothing", "always"])
def test_what_is_never_or_always_there_cannot_be_recalled(things: list[str | None]) -> None:
    frames, rng = _numbered(36), np.random.default_rng(0)
    assert recall(frames, showing(things), 3, MemorySizes(6, 8, 4), rng) is None


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> WindowBatch:
    folder = write_run(tmp_path_factory.mktemp("run"))
    data = EncodedClips(folder / "encoded", "train")
    return data.batch(np.random.default_rng(0), 2, BLOCKS)


def _made(
    batch: WindowBatch, *, noise: float = 0.0, own_sink_share: float = 0.0
) -> RememberingBatch:
    """Windows of the last block of each clip."""
    frames = batch.latents.transpose(2, 3).flatten(1, 2)
    sizes = MemorySizes(short=3, long=2, lag=2)
    streams = [continuation(f, 1, sizes, np.random.default_rng(0)) for f in frames]
    rng = np.random.default_rng(1)
    return exercises(batch, streams, 1, noise=noise, own_sink_share=own_sink_share, rng=rng)


def test_a_stream_that_has_just_begun(batch: WindowBatch) -> None:
    whole = _made(batch)
    made = [partial(whole, np.random.default_rng(seed)) for seed in range(40)]
    sizes = {(less.long.shape[1], less.short.shape[1]) for less in made}
    assert sizes == {(0, 0), (0, 3)}
    assert all(torch.equal(m.short, whole.short) for m in made if m.short.shape[1])
    never = [partial(whole, np.random.default_rng(seed), nothing=False) for seed in range(9)]
    assert {(less.long.shape[1], less.short.shape[1]) for less in never} == {(0, 3)}


def test_what_is_remembered_is_spoilt_a_little(batch: WindowBatch) -> None:
    clean, spoilt = _made(batch), _made(batch, noise=0.2)
    for a, b in ((clean.long, spoilt.long), (clean.short, spoilt.short)):
        assert 0.0 < (a - b).std() < 0.2
    assert torch.equal(clean.latents, spoilt.latents)


def test_the_sink_is_the_clips_own_first_latent_in_a_share(batch: WindowBatch) -> None:
    reference, own = _made(batch), _made(batch, own_sink_share=1.0)
    assert torch.equal(reference.sink, batch.sink)
    assert torch.equal(own.sink, batch.latents[:, 0, :, :1])
    for row in range(2):
        window = own.latents[row, 0].transpose(0, 1).numpy()
        wanted = motion_cells(window, own.sink[row].transpose(0, 1).numpy())
        assert np.array_equal(own.motion[row, 0].transpose(0, 1).numpy(), wanted)


def test_it_stands_for_what_memory_shows(batch: WindowBatch) -> None:
    """Blocks 0 and 2 of the clip show a ball, block 1 a cup; the stream began with the ball."""
    clip_prompts = torch.tensor([[0, 1, 0], [0, 1, 0]])
    three = batch.last(3) if batch.latents.shape[1] > 3 else batch
    whole = replace(
        three, prompts=[BALL, CUP], prompt_index=clip_prompts, sink_prompt=torch.tensor([0, 0])
    )
    frames = whole.latents.transpose(2, 3).flatten(1, 2)
    streams = [
        Exercise(0, frames[0, :0], frames[0, :1], np.array([7])),  # a frame of block 2
        Exercise(0, frames[1, :0], frames[1, :1], np.array([4, 8])),  # of block 1; 8 hides it
    ]
    shows = [np.ones(9, bool), np.arange(9) != 8]
    window = exercises(
        whole, streams, 3, noise=0.0, own_sink_share=0.0, rng=np.random.default_rng(0)
    )
    seen = things_seen(whole, shows, streams)
    assert seen == [{"red ball"}, {"blue cup"}]
    made = unnamed(window, seen, 1.0, np.random.default_rng(0))
    said = [[made.prompts[n] for n in row] for row in made.prompt_index.tolist()]
    assert said == [[IT, CUP, IT], [BALL, IT, BALL]]
    assert [made.prompts[n] for n in made.sink_prompt.tolist()] == [IT, BALL]
    assert unnamed(window, seen, 0.0, np.random.default_rng(0)).prompts == [BALL, CUP]
