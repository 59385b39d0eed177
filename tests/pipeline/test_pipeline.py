"""The whole pipeline in one process: real features and a real decoder around a small model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from support.streams import TEXT_DIM, flow_match, prompt

from avatar_nodes.block.audio_features import MelFeatures
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.decoding.decoder import TinyStreamingDecoder
from avatar_nodes.denoising.stage import Stage
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.tiny_vae import TinyVAE
from avatar_nodes.model.tiny_vae_config import TinyVAEConfig
from avatar_nodes.pipeline.pipeline import Pipeline

REFERENCE = np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8)
SOUND = np.random.default_rng(2).normal(0, 3000, 7680 * 3 + 100).astype(np.int16)
ONE = ([0, 1, 2],)


@pytest.fixture(scope="module")
def model() -> WanS2V:
    torch.manual_seed(0)
    config = DiTConfig.tiny(
        dim=32, ffn_dim=64, num_layers=2, audio_inject_layers=(0,), freq_dim=32, text_dim=TEXT_DIM,
        text_len=8, in_dim=4, out_dim=4, cond_dim=4, latent_shape=(4, 8, 8),
    )  # fmt: skip
    model = WanS2V(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.2)
    return model.serving()


@pytest.fixture(scope="module")
def decoder() -> TinyStreamingDecoder:
    torch.manual_seed(0)
    channels = (48, 48, 48, 48)
    config = TinyVAEConfig(
        latent_channels=4, encoder_channels=channels, decoder_channels=channels,
        latents_mean=(0.0,) * 4, latents_std=(1.0,) * 4,
    )  # fmt: skip
    return TinyStreamingDecoder(TinyVAE(config))


def _pipeline(
    model: WanS2V, decoder: TinyStreamingDecoder, split: Sequence[Sequence[int]] = ONE,
    aas_from_block: int | None = 1, cache_switching: bool = False,
) -> Pipeline:  # fmt: skip
    schedule = flow_match(3)
    stages = [Stage(model, schedule, steps) for steps in split]
    return Pipeline(
        stages, decoder, MelFeatures(BlockTiming()), past_blocks=2, aas_from_block=aas_from_block,
        cache_switching=cache_switching,
    )  # fmt: skip


def _render(
    pipeline: Pipeline, sound: np.ndarray = SOUND, first_block: int = 0
) -> list[np.ndarray]:
    pipeline.start(REFERENCE, prompt("talk"), seed=3, first_block=first_block)
    return list(pipeline.render(sound))


def _same(frames: list[np.ndarray], others: list[np.ndarray]) -> list[bool]:
    return [np.array_equal(a, b) for a, b in zip(frames, others, strict=True)]


def test_frames_of_every_block(model: WanS2V, decoder: TinyStreamingDecoder) -> None:
    pipeline = _pipeline(model, decoder)
    frames = _render(pipeline)
    assert [f.shape for f in frames] == [(12, 128, 128, 3)] * 4  # the rest of the sound is a block
    assert all(f.dtype == np.uint8 and f.std() > 1 for f in frames)
    assert pipeline.block == 4


def test_the_same_frames_however_it_is_run(model: WanS2V, decoder: TinyStreamingDecoder) -> None:
    expected = _render(_pipeline(model, decoder))
    again = _pipeline(model, decoder)
    assert all(_same(_render(again), expected))
    assert all(_same(_render(again), expected))  # a second stream starts clean
    assert all(_same(_render(_pipeline(model, decoder, ([0], [1], [2]))), expected))
    assert all(_same(_render(_pipeline(model, decoder), first_block=10_000_000), expected))


def test_sound_and_sink_act_on_the_frames(model: WanS2V, decoder: TinyStreamingDecoder) -> None:
    expected = _render(_pipeline(model, decoder))
    other = SOUND.copy()
    other[7680 * 2 :] = 0
    assert _same(_render(_pipeline(model, decoder), other), expected) == [True, True, False, False]
    late = _render(_pipeline(model, decoder, aas_from_block=3))
    assert _same(late, expected) == [True, False, False, False]
    never = _render(_pipeline(model, decoder, aas_from_block=None))
    assert _same(never, late) == [True, True, True, False]


def test_a_prompt_acts_from_the_next_block_on(model: WanS2V, decoder: TinyStreamingDecoder) -> None:
    expected = _render(_pipeline(model, decoder))
    pipeline = _pipeline(model, decoder)
    pipeline.start(REFERENCE, prompt("talk"), seed=3)
    frames = []
    for n, block in enumerate(np.split(SOUND[: 7680 * 3], 3)):
        if n == 1:
            pipeline.set_prompt(prompt("wave"))
        frames.append(pipeline.render_block(block))
    assert _same(frames, expected[:3]) == [True, False, False]


def _with_a_change(pipeline: Pipeline, *, recover_before: int = 99) -> list[np.ndarray]:
    """Five blocks, from the third on under another prompt."""
    pipeline.start(REFERENCE, prompt("talk"), seed=3)
    frames = []
    for n, block in enumerate(np.split(np.resize(SOUND, 7680 * 5), 5)):
        if n == 2:
            pipeline.set_prompt(prompt("wave"))
        if n == recover_before:
            pipeline.recover()
        frames.append(pipeline.render_block(block))
    return frames


def test_a_new_prompt_switches_the_caches(model: WanS2V, decoder: TinyStreamingDecoder) -> None:
    switched = _with_a_change(_pipeline(model, decoder, cache_switching=True))
    split = _with_a_change(_pipeline(model, decoder, ([0], [1], [2]), cache_switching=True))
    assert all(_same(split, switched))
    plain = _with_a_change(_pipeline(model, decoder))
    assert _same(plain, switched) == [True, True, False, False, False]


@pytest.mark.parametrize("before", [2, 3, 4])
def test_recovery_around_a_switch_is_the_same_in_every_split(
    model: WanS2V, decoder: TinyStreamingDecoder, before: int
) -> None:
    """Right before the switching block, right after it, and with it as the older of the window."""
    whole = _with_a_change(_pipeline(model, decoder, cache_switching=True), recover_before=before)
    split = _pipeline(model, decoder, ([0, 1], [2]), cache_switching=True)
    assert all(_same(_with_a_change(split, recover_before=before), whole))


@pytest.mark.parametrize("aas_from_block", [1, 3, None])
def test_recovery_goes_on_from_the_window(
    model: WanS2V, decoder: TinyStreamingDecoder, aas_from_block: int | None
) -> None:
    expected = _render(_pipeline(model, decoder, aas_from_block=aas_from_block))
    pipeline = _pipeline(model, decoder, aas_from_block=aas_from_block)
    pipeline.start(REFERENCE, prompt("talk"), seed=3)
    blocks = np.split(np.pad(SOUND, (0, 7680 * 4 - len(SOUND))), 4)
    frames = [pipeline.render_block(block) for block in blocks[:2]]
    pipeline.recover()
    frames += [pipeline.render_block(block) for block in blocks[2:]]
    apart = [float(np.abs(a.astype(int) - b).mean()) for a, b in zip(frames, expected, strict=True)]
    unlike = float(np.abs(expected[0].astype(int) - expected[2]).mean())
    assert apart[:2] == [0, 0]
    assert max(apart[2:]) < 0.5 * unlike


def test_wrong_use(model: WanS2V, decoder: TinyStreamingDecoder) -> None:
    with pytest.raises(RuntimeError, match="not started"):
        _pipeline(model, decoder).render_block(np.zeros(7680, np.int16))
    with pytest.raises(ValueError, match="cover the steps"):
        _pipeline(model, decoder, ([0], [2]))
    with pytest.raises(ValueError, match="aas_from_block"):
        _pipeline(model, decoder, aas_from_block=0)
