"""Visual memory in the model: optional, compressed frame by frame, at places that do not grow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from support.tiny_checkpoint import save_checkpoint
from torch import Tensor
from torch.testing import assert_close

from avatar_nodes.model.checkpoint import (
    CheckpointError,
    load_checkpoint,
    load_compressor,
)
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig, MemoryConfig, ModelConfigError
from avatar_nodes.model.kv import BlockKV
from avatar_nodes.model.rope import grid_positions, rope_table
from avatar_nodes.model.visual_memory import MemoryLatents, MemoryRope

MEMORY = MemoryConfig(short=3, long=2, hidden=16, heads=2)
BLOCKS, STREAMS = 4, 2


@pytest.fixture
def model(small_model: WanS2V) -> WanS2V:
    """`small_model` with a compressor whose gate is open."""
    torch.manual_seed(1)
    small_model.add_memory(MEMORY)
    torch.nn.init.normal_(small_model.memory_compressor.gate, std=0.2)
    return small_model.eval()


def _latents(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


def _remembered(streams: int = STREAMS) -> MemoryLatents:
    frames = _latents(streams, 5, 4, 8, 8)
    return MemoryLatents(long=frames[:, :2], short=frames[:, 2:])


class TestConfig:
    def test_a_model_without_memory_is_written_as_before(self) -> None:
        values = DiTConfig.tiny().to_dict()
        assert "memory" not in values
        assert DiTConfig.from_dict(values) == DiTConfig.tiny()

    def test_memory_survives_its_file(self) -> None:
        config = DiTConfig.tiny(memory=MEMORY)
        assert config.to_dict()["memory"] == {
            "short": 3, "long": 2, "cells": 4, "hidden": 16, "layers": 1, "heads": 2, "lag": 4,
        }  # fmt: skip
        assert DiTConfig.from_dict(config.to_dict()) == config
        assert (config.memory_grid, config.memory_shape) == ((4, 4), (16, 256))

    def test_finer_tokens(self) -> None:
        config = DiTConfig.tiny(memory=replace(MEMORY, cells=2))
        assert (config.memory_grid, config.memory_shape) == ((8, 8), (64, 256))

    def test_without_memory_there_is_no_grid_of_its_tokens(self) -> None:
        assert DiTConfig.tiny().memory_shape is None
        with pytest.raises(ModelConfigError, match="the model has none"):
            _ = DiTConfig.tiny().memory_grid

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"memory": {"depth": 3}}, "unknown field.*memory.depth"),
            ({"memory": {"short": 0}}, "memory.short: expected an integer > 0, got 0"),
            ({"memory": {"hidden": 10, "heads": 4}}, "does not split"),
            ({"memory": {"cells": 3}}, "memory.cells: expected 2 or 4, got 3"),
            ({"memory": {}, "latent_shape": (32, 18, 16)}, "multiples of 4"),
        ],
    )
    def test_impossible_values(self, changes: dict[str, object], words: str) -> None:
        with pytest.raises(ModelConfigError, match=words):
            DiTConfig.tiny(**changes)


class TestCompressor:
    def test_untrained_it_gives_a_small_reference_frame(self, small_model: WanS2V) -> None:
        small_model.add_memory(MEMORY)
        latents = _latents(3, 4, 8, 8)
        small = F.avg_pool2d(latents, 2)[:, :, None]
        expected = small_model._tokens(small) + small_model.trainable_cond_mask.weight[1]
        assert_close(small_model.memory_compressor(latents), expected, atol=1e-5, rtol=0)

    def test_a_token_for_every_patch_begins_as_the_patch_of_a_reference(
        self, small_model: WanS2V
    ) -> None:
        small_model.add_memory(replace(MEMORY, cells=2))
        latents = _latents(3, 4, 8, 8)
        patches = small_model._tokens(latents[:, :, None])
        expected = patches + small_model.trainable_cond_mask.weight[1]
        assert_close(small_model.memory_compressor(latents), expected, atol=1e-5, rtol=0)
        torch.nn.init.normal_(small_model.memory_compressor.gate, std=0.2)
        assert small_model.memory_compressor(latents).shape == expected.shape

    def test_its_detail_sees_all_of_the_frame(self, model: WanS2V) -> None:
        latents = _latents(1, 4, 8, 8)
        before = model.memory_compressor(latents)
        latents[..., -1, -1] += 1
        after = model.memory_compressor(latents)
        assert (after != before).any(dim=2).all()

    def test_a_checkpoint_with_memory(self, model: WanS2V, tmp_path: Path) -> None:
        save_checkpoint(model, tmp_path)
        latents = _latents(2, 4, 8, 8)
        expected = model.memory_compressor(latents)
        assert load_checkpoint(tmp_path).config == model.config
        assert_close(load_compressor(tmp_path)(latents), expected, atol=1e-6, rtol=0)

    def test_a_checkpoint_without(self, small_model: WanS2V, tmp_path: Path) -> None:
        save_checkpoint(small_model, tmp_path)
        with pytest.raises(CheckpointError, match=r"memory: a compressor needs this section"):
            load_compressor(tmp_path)
        with pytest.raises(CheckpointError, match="cannot be read"):
            load_compressor(tmp_path / "nowhere")


class TestPlaces:
    def test_short_memory_ends_at_the_past_and_key_frames_stand_at_the_sink(self) -> None:
        config = DiTConfig.tiny(memory=MEMORY)
        rope = MemoryRope(config, torch.device("cpu"))
        times = [30, 30, -9, -8, -7]
        expected = torch.cat([rope._table([time]).cos for time in times])
        assert torch.equal(rope.placed(2, 3).cos, expected)

    def test_fine_tokens_stand_where_the_patches_do(self) -> None:
        config = DiTConfig.tiny(memory=replace(MEMORY, cells=2))
        rope = MemoryRope(config, torch.device("cpu"))
        patches = rope_table(grid_positions([0], 8, 8), config.head_dim)
        assert torch.equal(rope.frame.cos, patches.cos)

    def test_a_token_stands_in_the_middle_of_its_cells(self, model: WanS2V) -> None:
        """4x4 cells are 2x2 tokens of a block: rows 0 and 1 of four, then 2 and 3."""
        rope = model._memory_rope(torch.device("cpu"))
        angles = rope.frame.sin.squeeze(1)
        rows = angles[:, 4:6]  # channels of the row: 4, 2, 2 of a head of 16
        assert torch.equal(rows[0], rows[1])
        assert_close(rows[0, 0].item(), torch.tensor(0.5).sin().item())
        assert_close(rows[2, 0].item(), torch.tensor(2.5).sin().item())


@torch.no_grad()
def _block_by_block(model: WanS2V, memory: MemoryLatents | None) -> Tensor:
    torch.manual_seed(3)
    x, t = torch.randn(STREAMS, BLOCKS, 4, 3, 8, 8), torch.rand(STREAMS, BLOCKS) * 1000
    audio, prompts = torch.randn(STREAMS, BLOCKS, 1, 6, 17), torch.randn(STREAMS, 5, 16)
    sink_latent = torch.randn(STREAMS, 4, 1, 8, 8)
    text = model.encode_text(prompts)
    sink = model.prefill_sink(sink_latent, text)
    placed = None
    if memory is not None and torch.cat(memory, dim=1).shape[1]:
        frames = torch.cat(memory, dim=1).unbind(1)
        kvs = [model.prefill_memory_frame(model.memory_compressor(frame)) for frame in frames]
        placed = model.place_memory(kvs[: memory.long.shape[1]], kvs[memory.long.shape[1] :])
    past: list[BlockKV] = []
    outputs = []
    for n in range(BLOCKS):
        velocity, kv = model.forward_block(
            x[:, n], t[:, n], audio[:, n], text, sink, past, memory=placed
        )
        past = [*past, kv][-2:]
        outputs.append(velocity)
    window = model.forward_window(
        x, t, audio, prompts, sink_latent, memory_latents=memory,
        prompt_index=torch.arange(STREAMS)[:, None].expand(-1, BLOCKS),
    )  # fmt: skip
    assert_close(window, torch.stack(outputs, dim=1), atol=1e-5, rtol=0)
    return window


@pytest.mark.parametrize("serving", [False, True])
def test_a_window_equals_block_after_block_with_memory(model: WanS2V, serving: bool) -> None:
    _block_by_block(model.serving() if serving else model, _remembered())


def test_memory_acts_and_none_is_none(model: WanS2V) -> None:
    plain = _block_by_block(model, None)
    empty = _block_by_block(model, MemoryLatents(*(x[:, :0] for x in _remembered())))
    assert torch.equal(empty, plain)
    assert float((_block_by_block(model, _remembered()) - plain).abs().max()) > 1e-3


def test_the_order_of_key_frames_does_not_matter_that_of_recent_ones_does(model: WanS2V) -> None:
    long, short = _remembered()
    expected = _block_by_block(model, MemoryLatents(long, short))
    swapped = _block_by_block(model, MemoryLatents(long.flip(1), short))
    assert_close(swapped, expected, atol=1e-5, rtol=0)
    turned = _block_by_block(model, MemoryLatents(long, short.flip(1)))
    assert float((turned - expected).abs().max()) > 1e-4


def test_a_frame_is_the_same_bits_whatever_is_beside_it(model: WanS2V) -> None:
    model.serving()
    tokens = model.memory_compressor(_latents(3, 4, 8, 8))
    alone = [model.prefill_memory_frame(frame[None]) for frame in tokens]
    placed = model.place_memory(alone[:1], alone[1:])
    other = model.place_memory([], alone[1:])
    for mine, its in zip(placed.layers, other.layers, strict=True):
        assert torch.equal(mine.k[:, 4:], its.k) and torch.equal(mine.v[:, 4:], its.v)


def test_the_compressor_learns_through_the_window(model: WanS2V) -> None:
    model.requires_grad_(False)
    model.memory_compressor.requires_grad_(True)
    torch.manual_seed(3)
    model.forward_window(
        torch.randn(STREAMS, 2, 4, 3, 8, 8), torch.rand(STREAMS, 2) * 1000,
        torch.randn(STREAMS, 2, 1, 6, 17), torch.randn(STREAMS, 2, 5, 16),
        torch.randn(STREAMS, 4, 1, 8, 8), memory_latents=_remembered(),
    ).square().mean().backward()  # fmt: skip
    learning = dict(model.memory_compressor.named_parameters())
    assert {name for name, p in learning.items() if p.grad is None or not p.grad.any()} == set()


def test_what_cannot_be_guessed_is_read_from_memory() -> None:
    """Blocks of random colours that were never seen before: after a short training they are made
    from memory, and not from other blocks' memory."""
    torch.manual_seed(0)
    config = DiTConfig.tiny(
        dim=32, num_heads=2, num_layers=2, ffn_dim=64, freq_dim=32, text_dim=16, text_len=8,
        in_dim=8, out_dim=8, audio_dim=6, audio_inject_layers=(0,), latent_shape=(8, 4, 4),
    )  # fmt: skip
    model = WanS2V(config).add_memory(MemoryConfig(short=3, long=1, hidden=16, heads=2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        blocks = _coloured_blocks(32)
        _reconstruction_loss(model, blocks, blocks).backward()
        optimizer.step()
        optimizer.zero_grad()
    blocks = _coloured_blocks(64)
    with torch.no_grad():
        own = _reconstruction_loss(model, blocks, blocks)
        others = _reconstruction_loss(model, blocks, blocks.roll(1, dims=0))
    assert own < 0.6 < others


def _coloured_blocks(count: int) -> Tensor:
    return torch.randn(count, 8, 1, 1, 1) + 0.1 * torch.randn(count, 8, 3, 4, 4)


def _reconstruction_loss(model: WanS2V, blocks: Tensor, remembered: Tensor) -> Tensor:
    count, sigma = len(blocks), 0.9
    noise = torch.randn(blocks.shape)
    frames = remembered.transpose(1, 2)
    velocity = model.forward_window(
        torch.lerp(blocks, noise, sigma)[:, None], torch.full((count, 1), 1000 * sigma),
        torch.zeros(count, 1, 1, 6, 17), torch.zeros(1, 3, 16), torch.zeros(count, 8, 1, 4, 4),
        prompt_index=torch.zeros(count, 1, dtype=torch.long),
        memory_latents=MemoryLatents(frames[:, :0], frames),
    )  # fmt: skip
    return (velocity[:, 0] - (noise - blocks)).square().mean()
