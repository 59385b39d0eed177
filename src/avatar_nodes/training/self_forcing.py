"""The generator rolls out windows from noise as the stream does (Live Avatar, Algorithms 1 and 2).

Every denoising step has its own cache of past blocks, at its own noise level. A random step of the
schedule is the exit: its clean estimate is the block's result, and gradients go through it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from avatar_nodes.model.attention import LayerKV
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.kv import BlockKV, SinkKV
from avatar_nodes.training.guidance import Conditions
from avatar_nodes.training.noise import Noise

Transition = Literal["fresh", "euler"]
"""How a step's clean estimate becomes the next step's input: with fresh noise (Algorithm 1), or
along the velocity, as the stream steps (Algorithm 3)."""


@dataclass(frozen=True)
class SelfForcing:
    """How windows are rolled out."""

    sigmas: tuple[float, ...]
    """Noise levels of the T steps, noisiest first, and a final 0."""
    history_corrupt: bool = True
    """History is the keys and values at the steps' own noise, as in the stream. False: those of an
    extra pass over the finished block at t = 0 (the papers' clean-kv-cache ablation)."""
    history_noise: float = 0.0
    """Noise added to a past block's keys and values, as a share of their deviation."""
    adaptive_sink: bool = True
    """From the second block on the sink is the window's own first latent, finished (AAS)."""
    transition: Transition = "fresh"

    @property
    def steps(self) -> int:
        return len(self.sigmas) - 1


class Rollout(NamedTuple):
    """A window of N blocks, and all that is needed to compute its exit step again."""

    clean: Tensor
    """[B, N, C, 3, h, w]: the clean estimates of the exit step."""
    sigma: float
    """Noise level of the exit step."""
    inputs: list[Tensor]
    """What entered the exit step, [B, C, 3, h, w] for each block; no graph."""
    past: list[tuple[BlockKV, ...]]
    """The history that each block saw there; no graph."""
    sinks: list[Tensor]
    """The sink latent of each block, [B, C, 1, h, w]; no graph."""

    def last(self, blocks: int) -> Rollout:
        """The last `blocks` blocks; their conditions are the last of the window's, too."""
        return self._replace(
            clean=self.clean[:, -blocks:],
            inputs=self.inputs[-blocks:],
            past=self.past[-blocks:],
            sinks=self.sinks[-blocks:],
        )


class _View:
    """A window's conditions, encoded once by the generator. Made with or without a graph."""

    def __init__(self, dit: WanS2V, conditions: Conditions) -> None:
        self._dit = dit
        self._conditions = conditions
        self._prompts = dit.encode_text(conditions.states)
        self._sinks: dict[int, tuple[Tensor, SinkKV]] = {}

    def step(
        self, block: int, x: Tensor, sigma: float, sink: Tensor, past: tuple[BlockKV, ...]
    ) -> tuple[Tensor, BlockKV]:
        """Velocity [B, C, 3, h, w] of the noisy block x, and its keys and values."""
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


def roll_out(
    dit: WanS2V, conditions: Conditions, shape: tuple[int, ...], options: SelfForcing,
    exit_step: int, noise: Noise, *, graph: bool = False, lead: int = 0,
) -> Rollout:  # fmt: skip
    """Generate windows of `shape` [B, N, C, 3, h, w] up to `exit_step` (0 is the noisiest).

    graph: the clean estimates carry the exit step's graph (Algorithm 1), histories never do, nor
    the first `lead` blocks.
    """
    if not 0 <= exit_step < options.steps:
        raise ValueError(f"exit_step must be 0..{options.steps - 1}, got {exit_step}")
    with torch.no_grad():
        blind = _View(dit, conditions)
    seeing = _View(dit, conditions) if graph else blind
    caches: list[list[BlockKV]] = [[] for _ in range(options.steps)]
    sink = conditions.sink
    clean: list[Tensor] = []
    inputs: list[Tensor] = []
    pasts: list[tuple[BlockKV, ...]] = []
    sinks: list[Tensor] = []
    for block in range(shape[1]):
        x = noise((shape[0], *shape[2:]))
        for step in range(exit_step + 1):
            past = _recent(caches[step], dit.config.past_blocks)
            sigma, leaving = options.sigmas[step], step == exit_step
            learns = graph and leaving and block >= lead
            with torch.set_grad_enabled(learns):
                view = seeing if learns else blind
                velocity, kv = view.step(block, x, sigma, sink, past)
                estimate = x - sigma * velocity
            if options.history_corrupt:
                caches[step].append(_corrupted(kv, options.history_noise, noise))
            if leaving:
                inputs.append(x)
                pasts.append(past)
                sinks.append(sink)
                clean.append(estimate)
            else:
                x = _next(x, velocity, estimate, step, options, noise)
        with torch.no_grad():
            done = clean[-1].detach()
            if not options.history_corrupt:
                past = _recent(caches[0], dit.config.past_blocks)
                _, kv = blind.step(block, done, 0.0, sink, past)
                for cache in caches:
                    cache.append(kv)
            if block == 0 and options.adaptive_sink and shape[1] > 1:
                end = _finished(blind, x, clean[0].detach(), sink, exit_step, options, noise)
                sink = end[:, :, :1].contiguous()
    return Rollout(torch.stack(clean, dim=1), options.sigmas[exit_step], inputs, pasts, sinks)


def backward_by_block(
    dit: WanS2V, conditions: Conditions, rollout: Rollout, gradient: Tensor
) -> None:
    """Algorithm 2: each block's exit step once more, now with its graph, and backward at once.

    gradient: of the loss with respect to `rollout.clean`. The parameters' gradients are those of a
    backward pass through all blocks together, while one block's graph is alive at a time. Uses the
    rollout up: a block's history is freed when it is done.
    """
    for block in reversed(range(gradient.shape[1])):
        estimate = exit_estimate(dit, conditions, rollout, block)
        estimate.backward(gradient[:, block])
        rollout.past.pop()


def exit_estimate(dit: WanS2V, conditions: Conditions, rollout: Rollout, block: int) -> Tensor:
    """The clean estimate [B, C, 3, h, w] of one block of a rollout, with its graph."""
    x = rollout.inputs[block]
    view = _View(dit, conditions)
    velocity, _ = view.step(block, x, rollout.sigma, rollout.sinks[block], rollout.past[block])
    return x - rollout.sigma * velocity


def _finished(
    view: _View, x: Tensor, estimate: Tensor, sink: Tensor, exit_step: int, options: SelfForcing,
    noise: Noise,
) -> Tensor:  # fmt: skip
    """The first block after the steps that follow its exit: what a stream's own sink is cut from.

    A first step's estimate is a blurred mean; the stream never shows such a sink to later blocks.
    """
    for step in range(exit_step, options.steps - 1):
        velocity = (x - estimate) / options.sigmas[step]
        x = _next(x, velocity, estimate, step, options, noise)
        sigma = options.sigmas[step + 1]
        velocity, _ = view.step(0, x, sigma, sink, ())
        estimate = x - sigma * velocity
    return estimate


def _next(
    x: Tensor, velocity: Tensor, estimate: Tensor, step: int, options: SelfForcing, noise: Noise
) -> Tensor:  # fmt: skip
    """The input of the step after `step` (the paper's Psi, or the stream's Euler step)."""
    following = options.sigmas[step + 1]
    if options.transition == "euler":
        return x + (following - options.sigmas[step]) * velocity
    return (1.0 - following) * estimate + following * noise(x.shape)


def _recent(cache: list[BlockKV], count: int) -> tuple[BlockKV, ...]:
    return tuple(cache[max(0, len(cache) - count) :])


def _corrupted(kv: BlockKV, amount: float, noise: Noise) -> BlockKV:
    """Keys and values without their graph, and with noise of `amount` of their deviation."""

    def cut(x: Tensor) -> Tensor:
        x = x.detach()
        if amount == 0.0:
            return x
        deviation = x.float().std(dim=(1, 2, 3), keepdim=True)
        return x + (amount * deviation * noise(x.shape)).to(x.dtype)

    return BlockKV(tuple(LayerKV(cut(layer.k), cut(layer.v)) for layer in kv.layers))
