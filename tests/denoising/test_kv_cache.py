"""The rolling cache: order, bound, and memory that is allocated once."""

from __future__ import annotations

import torch

from avatar_nodes.denoising.kv_cache import RollingKVCache
from avatar_nodes.model.attention import LayerKV
from avatar_nodes.model.kv import BlockKV


def _kv(value: float) -> BlockKV:
    return BlockKV(
        tuple(LayerKV(torch.full((1, 2), value), torch.full((1, 2), -value)) for _ in "ab")
    )


def _values(cache: RollingKVCache) -> list[float]:
    return [float(block.layers[1].k[0, 0]) for block in cache.blocks]


def _addresses(cache: RollingKVCache) -> set[int]:
    return {layer.k.data_ptr() for block in cache.blocks for layer in block.layers}


def test_keeps_the_last_blocks_oldest_first() -> None:
    cache = RollingKVCache(2)
    seen = []
    for n in range(5):
        cache.append(_kv(n))
        seen.append(_values(cache))
    assert seen == [[0], [0, 1], [1, 2], [2, 3], [3, 4]]
    assert float(cache.blocks[1].layers[0].v[0, 1]) == -4


def test_memory_is_allocated_once() -> None:
    cache = RollingKVCache(2)
    cache.append(_kv(0))
    cache.append(_kv(1))
    addresses = _addresses(cache)
    for n in range(2, 50):
        cache.append(_kv(n))
        if n == 25:
            cache.clear()
            assert len(cache) == 0 and cache.blocks == ()
    assert _addresses(cache) == addresses


def test_a_block_is_copied() -> None:
    cache, kv = RollingKVCache(1), _kv(3)
    cache.append(kv)
    kv.layers[1].k.zero_()
    assert _values(cache) == [3]


def test_no_window_holds_nothing() -> None:
    cache = RollingKVCache(0)
    cache.append(_kv(1))
    assert cache.blocks == ()
