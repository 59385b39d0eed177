"""Rolling out as the stream does, and Algorithm 2 against the gradient of the whole graph."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from support.training_run import CONFIG
from torch import Tensor

from avatar_nodes.clips.conditions import Conditions
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.kv import BlockKV
from avatar_nodes.training.flow.self_forcing import (
    SelfForcing,
    Transition,
    _View,
    backward,
    backward_by_block,
    exit_estimate,
    roll_out,
)
from avatar_nodes.training.loop.distributed import Workers
from avatar_nodes.training.loop.noise import Noise

SIGMAS = (1.0, 0.9, 0.5, 0.0)
SHAPE = (2, 4, 8, 3, 4, 4)
EULER = SelfForcing(SIGMAS, transition="euler")


@pytest.fixture
def model() -> WanS2V:
    torch.manual_seed(0)
    model = WanS2V(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.2)
    return model


@pytest.fixture
def conditions() -> Conditions:
    torch.manual_seed(1)
    return Conditions(
        audio=torch.rand(2, 4, 1, 160, 17) * 2 - 1,
        states=torch.randn(3, 7, 16),
        prompt_index=torch.tensor([[0, 0, 1, 1], [1, 0, 0, 0]]),
        sink=torch.randn(2, 8, 1, 4, 4),
        sink_prompt=torch.tensor([1, 0]),
    )


def _noise() -> Noise:
    return Noise(3)


@torch.no_grad()
def _stream(model: WanS2V, conditions: Conditions) -> Tensor:
    """What Algorithm 3 makes of the same noise: a cache for every step, own sink from block 1."""
    noise = _noise()
    prompts = model.encode_text(conditions.states)
    caches: list[list[BlockKV]] = [[] for _ in SIGMAS[1:]]
    sink = model.prefill_sink(conditions.sink, prompts.select(conditions.sink_prompt))
    blocks = []
    for block in range(SHAPE[1]):
        x = noise((2, *SHAPE[2:]))
        text = prompts.select(conditions.prompt_index[:, block])
        for step, sigma in enumerate(SIGMAS[:-1]):
            t = torch.full((2,), 1000.0 * sigma)
            velocity, kv = model.forward_block(
                x, t, conditions.audio[:, block], text, sink, caches[step][-2:]
            )
            caches[step].append(kv)
            x = x + (SIGMAS[step + 1] - sigma) * velocity
        if block == 0:
            sink = model.prefill_sink(x[:, :, :1], prompts.select(conditions.sink_prompt))
        blocks.append(x)
    return torch.stack(blocks, dim=1)


def test_leaving_at_the_last_step_is_what_the_stream_makes(
    model: WanS2V, conditions: Conditions
) -> None:
    made = roll_out(model, conditions, SHAPE, EULER, 2, _noise())
    torch.testing.assert_close(made.clean, _stream(model, conditions), atol=1e-4, rtol=0)
    assert made.sigma == 0.5
    assert not made.clean.requires_grad


def test_blocks_leave_at_one_step_and_see_their_own_noise_level(
    model: WanS2V, conditions: Conditions
) -> None:
    made = roll_out(model, conditions, SHAPE, EULER, 0, _noise())
    assert [len(past) for past in made.past] == [0, 1, 2, 2]
    torch.testing.assert_close(made.inputs[0], _noise()((2, *SHAPE[2:])))
    stream = _stream(model, conditions)
    torch.testing.assert_close(made.sinks[1], stream[:, 0, :, :1], atol=1e-4, rtol=0)
    assert torch.equal(made.sinks[0], conditions.sink)
    kept = roll_out(model, conditions, SHAPE, replace(EULER, adaptive_sink=False), 0, _noise())
    assert all(torch.equal(sink, conditions.sink) for sink in kept.sinks)


def test_switches_of_the_history(model: WanS2V, conditions: Conditions) -> None:
    plain = roll_out(model, conditions, SHAPE, EULER, 1, _noise())
    noisy = roll_out(model, conditions, SHAPE, replace(EULER, history_noise=0.1), 1, _noise())
    clean = roll_out(model, conditions, SHAPE, replace(EULER, history_corrupt=False), 1, _noise())
    assert torch.equal(noisy.past[0], plain.past[0]) if plain.past[0] else not noisy.past[0]
    a, b = plain.past[1][0].layers[0].k, noisy.past[1][0].layers[0].k
    assert 0.05 < ((a - b).std() / a.std()).item() < 0.2
    # a clean history is that of the finished block at t = 0, whatever the step
    prompts = model.encode_text(conditions.states)
    text = prompts.select(conditions.prompt_index[:, 0])
    sink = model.prefill_sink(conditions.sink, prompts.select(conditions.sink_prompt))
    with torch.no_grad():
        _, kv = model.forward_block(
            clean.estimates[-1][:, 0], torch.zeros(2), conditions.audio[:, 0], text, sink
        )
    torch.testing.assert_close(clean.past[1][0].layers[1].v, kv.layers[1].v, atol=1e-5, rtol=0)


def test_fresh_noise_enters_between_the_steps(model: WanS2V, conditions: Conditions) -> None:
    shape = (2, 1, *SHAPE[2:])
    options = SelfForcing(SIGMAS)
    made = roll_out(model, conditions, shape, options, 1, _noise())
    noise = _noise()
    x = noise((2, *SHAPE[2:]))
    table = model.encode_text(conditions.states)
    prompts = table.select(conditions.prompt_index[:, 0])
    sink = model.prefill_sink(conditions.sink, table.select(conditions.sink_prompt))
    with torch.no_grad():
        velocity, _ = model.forward_block(
            x, torch.full((2,), 1000.0), conditions.audio[:, 0], prompts, sink
        )
    clean = x - velocity
    by_hand = 0.1 * clean + 0.9 * noise(x.shape)
    torch.testing.assert_close(made.inputs[0], by_hand, atol=1e-5, rtol=0)


def _gradients(model: WanS2V) -> dict[str, Tensor]:
    named = model.named_parameters()
    found = {name: p.grad.clone() for name, p in named if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


def _peak_of_saved_tensors(work: Callable[[], object]) -> int:
    """Most bytes that graphs held at a time."""
    alive: dict[int, int] = {}
    peak = 0

    class _Saved:
        def __init__(self, tensor: Tensor) -> None:
            self.tensor = tensor

    def pack(tensor: Tensor) -> _Saved:
        nonlocal peak
        saved = _Saved(tensor)
        key = id(saved)
        alive[key] = tensor.numel() * tensor.element_size()
        weakref.finalize(saved, alive.pop, key, None)
        peak = max(peak, sum(alive.values()))
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved.tensor):
        work()
    return peak


@pytest.mark.parametrize("exit_step", [0, 2])
def test_algorithm_2_has_the_gradient_of_the_whole_graph_in_less_memory(
    model: WanS2V, conditions: Conditions, exit_step: int
) -> None:
    torch.manual_seed(5)
    gradient = torch.randn(SHAPE)

    def together() -> None:
        made = roll_out(model, conditions, SHAPE, EULER, exit_step, _noise())
        backward(model, conditions, made, gradient)

    def by_block() -> None:
        made = roll_out(model, conditions, SHAPE, EULER, exit_step, _noise())
        backward_by_block(model, conditions, made, gradient)

    peak_together = _peak_of_saved_tensors(together)
    expected = _gradients(model)
    peak_by_block = _peak_of_saved_tensors(by_block)
    found = _gradients(model)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-4, rtol=1e-3, msg=name)
    assert expected["blocks.1.self_attn.k.weight"].abs().max() > 1e-3
    assert peak_by_block < 0.5 * peak_together


def test_bfloat16_keeps_the_graph_of_every_weight(model: WanS2V, conditions: Conditions) -> None:
    """Weights that were cast without a graph must not be taken for the exit step."""
    with Workers().mixed_precision():
        made = roll_out(model, conditions, SHAPE, EULER, 1, _noise())
        backward(model, conditions, made, made.clean / made.clean.numel())
    silent = {n for n, g in _gradients(model).items() if n.endswith("weight") and not g.any()}
    assert not silent - {"cond_encoder.weight", "casual_audio_encoder.weights"}
    assert "blocks.0.self_attn.q.weight" not in silent


@pytest.mark.parametrize("transition", ["euler", "fresh"])
@pytest.mark.parametrize("exit_step", [0, 1, 2])
def test_the_step_that_learns_is_the_one_that_was_made(
    model: WanS2V, conditions: Conditions, transition: Transition, exit_step: int
) -> None:
    """Gradients go through a second computation: it has to see what the rollout saw."""
    options = SelfForcing(SIGMAS, transition=transition)
    made = roll_out(model, conditions, SHAPE, options, exit_step, _noise())
    for block in range(SHAPE[1]):
        again = exit_estimate(_View(model, conditions), made, block)
        assert again.requires_grad
        torch.testing.assert_close(again.detach(), made.clean[:, block], atol=1e-5, rtol=0)


def test_one_rollout_has_the_estimates_of_every_exit(model: WanS2V, conditions: Conditions) -> None:
    made = [roll_out(model, conditions, SHAPE, EULER, exit, _noise()) for exit in range(3)]
    for exit_step, rollout in enumerate(made):
        assert torch.equal(rollout.estimates, made[0].estimates)
        assert torch.equal(rollout.clean, made[0].estimates[exit_step])
        assert rollout.sigma == SIGMAS[exit_step]
        assert not rollout.estimates.requires_grad
    assert not torch.allclose(made[0].clean, made[2].clean, atol=1e-2)


def test_blocks_that_lead_are_made_alike_and_learn_nothing(
    model: WanS2V, conditions: Conditions
) -> None:
    made = roll_out(model, conditions, SHAPE, EULER, 1, _noise())
    judged = made.last(1)
    assert judged.clean.shape == (2, 1, *SHAPE[2:])
    assert torch.equal(judged.inputs[0], made.inputs[3]) and len(judged.past[0]) == 2
    torch.manual_seed(5)
    gradient = torch.randn(SHAPE)
    gradient[:, :3] = 0.0
    backward(model, conditions, made, gradient)
    expected = _gradients(model)
    last = replace(
        conditions, audio=conditions.audio[:, -1:], prompt_index=conditions.prompt_index[:, -1:]
    )
    backward(model, last, judged, gradient[:, 3:])
    found = _gradients(model)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-4, rtol=1e-3, msg=name)
