"""Rolls windows out from noise as the stream does (Live Avatar, Algorithms 1 and 2).

Every denoising step has its own cache of past blocks, at its own noise level. A random step of the
schedule is the exit: its clean estimate is the block's result, and gradients go through it alone.
It is computed once more for them, so that no graph is alive while windows are rolled out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from avatar_nodes.clips.conditions import Conditions
from avatar_nodes.model.attention import LayerKV
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.kv import BlockKV, SinkKV
from avatar_nodes.training.loop.noise import Noise

Transition = Literal["fresh", "euler"]
"""The way from a step's clean estimate to the next step's input: with fresh noise (Algorithm 1), or
along the velocity, as the stream steps (Algorithm 3)."""


@dataclass(frozen=True)
class SelfForcing:
    """Settings of the rollout."""

    sigmas: tuple[float, ...]
    """Noise levels of the T steps, noisiest first, and a final 0."""
    history_corrupt: bool = True
    """History is the keys and values at the steps' own noise, as in the stream. False: those of an
    extra pass over the finished block at t = 0 (the papers' clean-kv-cache ablation)."""
    history_noise: float = 0.0
    """Noise added to a past block's noisy keys and values, as a share of their deviation."""
    adaptive_sink: bool = True
    """From the second block on the sink is the window's own first latent, finished (AAS)."""
    transition: Transition = "fresh"

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1


class Rollout(NamedTuple):
    """A window of N blocks, and all that is needed to compute its exit step again; no graph."""

    estimates: Tensor
    """[T, B, N, C, F, h, w]: the clean estimates of every step."""
    exit_step: int
    sigma: float
    """Noise level of the exit step."""
    inputs: list[Tensor]
    """Inputs of the exit step, [B, C, F, h, w] for each block."""
    past: list[tuple[BlockKV, ...]]
    """The history that each block saw there."""
    sinks: list[Tensor]
    """The sink latent of each block, [B, C, 1, h, w]."""

    @property
    def clean(self) -> Tensor:
        """[B, N, C, F, h, w]: the clean estimates of the exit step."""
        return self.estimates[self.exit_step]

    def last(self, blocks: int) -> Rollout:
        """The last `blocks` blocks; their conditions are the last of the window's, too."""
        return self._replace(
            estimates=self.estimates[:, :, -blocks:],
            inputs=self.inputs[-blocks:],
            past=self.past[-blocks:],
            sinks=self.sinks[-blocks:],
        )


class _View:
    """A window's conditions, encoded once by the generator, with or without a graph."""

    def __init__(self, dit: WanS2V, conditions: Conditions) -> None:
        self._dit = dit
        self._conditions = conditions
        self._prompts = dit.encode_text(conditions.states)
        self._sinks: dict[int, tuple[Tensor, SinkKV]] = {}

    def step(
        self, block: int, x: Tensor, sigma: float, sink: Tensor, past: tuple[BlockKV, ...]
    ) -> tuple[Tensor, BlockKV]:
        """Velocity [B, C, F, h, w] of the noisy block x, and its keys and values."""
        t = torch.full((x.shape[0],), 1000.0 * sigma, device=x.device)
        text = self._prompts.select(self._conditions.prompt_index[:, block])
        velocity, kv = self._dit.forward_block(
            x, t, self._conditions.audio[:, block], text, self._sink(sink), past
        )
        return velocity.float(), kv

    def _sink(self, latent: Tensor) -> SinkKV:
        if id(latent) not in self._sinks:
            text = self._prompts.select(self._conditions.sink_prompt)
            self._sinks[id(latent)] = (latent, self._dit.prefill_sink(latent, text))
        return self._sinks[id(latent)][1]


@torch.no_grad()
def roll_out(
    dit: WanS2V, conditions: Conditions, shape: tuple[int, ...], options: SelfForcing,
    exit_step: int, noise: Noise,
) -> Rollout:  # fmt: skip
    """Generate windows of `shape` [B, N, C, F, h, w] with all steps; `exit_step` (0 is the
    noisiest) is the one that can be computed again with its graph.

    Later steps do not change the input of earlier ones, so one rollout has the estimates of every
    exit.
    """
    if not 0 <= exit_step < options.steps:
        raise ValueError(f"exit_step must be 0..{options.steps - 1}, got {exit_step}")
    view = _View(dit, conditions)
    caches: list[list[BlockKV]] = [[] for _ in range(options.steps)]
    sink = conditions.sink
    estimates: list[Tensor] = []
    inputs: list[Tensor] = []
    pasts: list[tuple[BlockKV, ...]] = []
    sinks: list[Tensor] = []
    for block in range(shape[1]):
        x = noise((shape[0], *shape[2:]))
        of_block = []
        for step, sigma in enumerate(options.sigmas[:-1]):
            past = tuple(caches[step])
            if step == exit_step:
                inputs.append(x)
                pasts.append(past)
                sinks.append(sink)
            velocity, kv = view.step(block, x, sigma, sink, past)
            estimate = x - sigma * velocity
            of_block.append(estimate)
            if options.history_corrupt:
                caches[step].append(_corrupted(kv, options.history_noise, noise))
            if step + 1 < options.steps:
                x = _next(x, velocity, estimate, step, options, noise)
        if not options.history_corrupt:
            _, kv = view.step(block, estimate, 0.0, sink, tuple(caches[0]))
            for cache in caches:
                cache.append(kv)
        for cache in caches:
            del cache[: max(0, len(cache) - dit.config.past_blocks)]
        if block == 0 and options.adaptive_sink and shape[1] > 1:
            sink = estimate[:, :, :1].contiguous()
        estimates.append(torch.stack(of_block))
    made = torch.stack(estimates, dim=2)
    return Rollout(made, exit_step, options.sigmas[exit_step], inputs, pasts, sinks)


def backward(dit: WanS2V, conditions: Conditions, rollout: Rollout, gradient: Tensor) -> None:
    """Algorithm 1: the exit step of all blocks once more, with its graph, and backward through all.

    gradient: of the loss with respect to `rollout.clean`.
    """
    view = _View(dit, conditions)
    blocks = [exit_estimate(view, rollout, block) for block in range(gradient.shape[1])]
    torch.stack(blocks, dim=1).backward(gradient)


def backward_by_block(
    dit: WanS2V, conditions: Conditions, rollout: Rollout, gradient: Tensor
) -> None:
    """Algorithm 2: each block's exit step once more, with its graph, and backward at once.

    gradient: of the loss with respect to `rollout.clean`. The parameters' gradients are those of a
    backward pass through all blocks together, while one block's graph is alive at a time. Uses the
    rollout up: a block's history is freed when it is done.
    """
    for block in reversed(range(gradient.shape[1])):
        exit_estimate(_View(dit, conditions), rollout, block).backward(gradient[:, block])
        rollout.past.pop()


def exit_estimate(view: _View, rollout: Rollout, block: int) -> Tensor:
    """The clean estimate [B, C, F, h, w] of one block of a rollout, with its graph."""
    x, past, sink = rollout.inputs[block], rollout.past[block], rollout.sinks[block]
    velocity, _ = view.step(block, x, rollout.sigma, sink, past)
    return x - rollout.sigma * velocity


def _next(
    x: Tensor, velocity: Tensor, estimate: Tensor, step: int, options: SelfForcing, noise: Noise
) -> Tensor:  # fmt: skip
    """The input of the step after `step` (the paper's Psi, or the stream's Euler step)."""
    following = options.sigmas[step + 1]
    if options.transition == "euler":
        return x + (following - options.sigmas[step]) * velocity
    return (1.0 - following) * estimate + following * noise(x.shape)


def _corrupted(kv: BlockKV, amount: float, noise: Noise) -> BlockKV:
    """Keys and values without their graph, and with noise of `amount` of their deviation."""

    def cut(x: Tensor) -> Tensor:
        x = x.detach()
        if amount == 0.0:
            return x
        deviation = x.float().std(dim=(1, 2, 3), keepdim=True)
        return x + (amount * deviation * noise(x.shape)).to(x.dtype)

    return BlockKV(tuple(LayerKV(cut(layer.k), cut(layer.v)) for layer in kv.layers))
