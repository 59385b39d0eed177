"""A window's memory stays where it is, whatever is kept in it."""

from __future__ import annotations

import pytest
import torch
from support.streams import AUDIO, LATENT, prompt, random_tensor

from avatar_nodes.denoising.past_window import Conditions, PastWindow
from avatar_nodes.model.causal import Places
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.kv import TextKV

LEVELS = (900.0, 300.0)
CAPACITY = 2


def _text(model: WanS2V, name: str) -> TextKV:
    return model.encode_text(prompt(name).states[None])


def _take(model: WanS2V, window: PastWindow, key: int) -> None:
    text = _text(model, "talk")
    sound = model.encode_audio(random_tensor(key, AUDIO)[None])
    sink = model.prefill_sink(random_tensor(4, (1, 4, 1, 8, 8)), text)
    places = (Places(model.config.sink_position),) * len(LEVELS)
    conditions = Conditions(sound, text, sink, None, places)
    window.take(conditions, [random_tensor(key + n, LATENT) for n in range(len(LEVELS))])


def _bits(window: PastWindow) -> list[torch.Tensor]:
    return [
        part.clone()
        for level in range(len(LEVELS))
        for block in window.seen_from(level)
        for kv in block.layers
        for part in kv
    ]


def _addresses(window: PastWindow) -> set[int]:
    levels = [window.seen_from(level) for level in range(len(LEVELS))]
    return {part.data_ptr() for blocks in levels for b in blocks for kv in b.layers for part in kv}


def _same(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.fixture
def window(served_model: WanS2V) -> PastWindow:
    """A full one, in the middle of its ring."""
    made = PastWindow(served_model, LEVELS, CAPACITY)
    for key in range(CAPACITY + 1):
        _take(served_model, made, 10 * key)
    return made


@torch.inference_mode()
def test_blocks_and_switches_stay_in_place(served_model: WanS2V, window: PastWindow) -> None:
    addresses = _addresses(window)
    assert window.is_full and len(addresses) == 2 * CAPACITY * len(LEVELS) * 2  # layers; k, v
    for key in range(5, 9):
        _take(served_model, window, 10 * key)
        assert _addresses(window) == addresses
    window.switch(_text(served_model, "wave"))
    assert _addresses(window) == addresses
    window.clear()
    assert len(window) == 0 and not window.is_full and not _addresses(window)
    for key in range(CAPACITY):
        _take(served_model, window, 10 * key)
    assert _addresses(window) == addresses


@torch.inference_mode()
def test_another_window_becomes_this_one_switched(served_model: WanS2V, window: PastWindow) -> None:
    other, before = window.empty(), _bits(window)
    assert not _addresses(other), "nothing is allocated before it is needed"
    used: list[set[int]] = []
    for name in ("wave", "nod", "wave"):
        other.become_switched(window, _text(served_model, name))
        used.append(_addresses(other))
    assert used[0] == used[1] == used[2] and not used[0] & _addresses(window)
    assert _same(_bits(window), before), "this one stays"
    window.switch(_text(served_model, "wave"))
    assert _same(_bits(other), _bits(window)) and not _same(_bits(other), before)
