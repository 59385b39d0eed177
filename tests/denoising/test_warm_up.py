"""A warmed-up stage is as it was: the stream after it has the same bits."""

from __future__ import annotations

import pytest
import torch

from avatar_nodes.block.block import BlockConditioning, EpochStart, Prompt, Sink
from avatar_nodes.block.schedule import Schedule
from avatar_nodes.denoising.stage import Stage
from avatar_nodes.denoising.warm_up import warm_up
from avatar_nodes.errors.refused_error import LeftoverError
from avatar_nodes.model.dit import WanS2V

SIGMAS = [1.0, 0.7, 0.3, 0.0]


def _stream(stage: Stage) -> torch.Tensor:
    torch.manual_seed(4)
    prompt, other = (Prompt(name, "", torch.randn(5, 16)) for name in ("one", "two"))
    sink = Sink(0, torch.randn(4, 1, 8, 8), "one")
    stage.start_epoch(EpochStart(1, 0, 7, sink, (prompt, other)))
    out = []
    for block in range(4):
        audio = torch.randn(stage.audio_shape)
        latent = None if stage.makes_noise else torch.randn(stage.latent_shape)
        switch = block == 3
        name = "two" if switch else "one"
        conditioning = BlockConditioning(1, block, audio, name, 0, 7, cache_switch=switch)
        out.append(stage.process(conditioning, latent))
    return torch.stack(out)


@pytest.mark.parametrize(
    ("steps", "kv_cache"),
    [((0, 1, 2), "same_noise"), ((1, 2), "same_noise"), ((0, 1, 2), "clean")],
    ids=str,
)
def test_the_stream_is_the_same(
    served_model: WanS2V, steps: tuple[int, ...], kv_cache: str
) -> None:
    options = {"past_blocks": 2, "kv_cache": kv_cache}
    expected = _stream(Stage(served_model, Schedule(SIGMAS), steps, **options))
    stage = Stage(served_model, Schedule(SIGMAS), steps, **options)
    warm_up(stage, served_model.config, 2)
    with pytest.raises(LeftoverError, match="epoch 2 was not started"):
        audio = torch.zeros(stage.audio_shape)
        stage.process(
            BlockConditioning(2, 3, audio, "warm up", 0, 0), torch.zeros(stage.latent_shape)
        )
    assert torch.equal(_stream(stage), expected)


def test_compiled_stages_make_the_same_stream(served_model: WanS2V) -> None:
    eager = _stream(Stage(served_model, Schedule(SIGMAS), (0, 1, 2), past_blocks=2))
    stage = Stage(served_model, Schedule(SIGMAS), (0, 1, 2), past_blocks=2)
    layers = served_model.block_layer, served_model.sink_layer
    try:
        served_model.compile_serving(backend="aot_eager")  # captured as ever, but no C++
        warm_up(stage, served_model.config, 2)
        compiled = _stream(stage)
    finally:
        served_model.block_layer, served_model.sink_layer = layers
    torch.testing.assert_close(compiled, eager, atol=1e-4, rtol=0)
