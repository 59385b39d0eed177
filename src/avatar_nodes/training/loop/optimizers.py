"""The optimizers of the transformer's stages and their learning-rate schedule."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from avatar_nodes.training.loop.distributed import as_laid_out, whole


class Optimizers:
    """Muon for the hidden matrices, AdamW for the rest (and for adapters), one schedule for both.

    Parameters that need no gradient are left alone. Without `matrix_learning_rate` AdamW has all.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        learning_rate: float,
        matrix_learning_rate: float | None = None,
        betas: tuple[float, float] = (0.9, 0.98),
        weight_decay: float = 0.01,
    ) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            inside = "blocks." in name or "audio_injector" in name
            hidden = parameter.ndim == 2 and inside and ".lora_" not in name
            if parameter.requires_grad:
                (matrices if hidden and matrix_learning_rate else others).append(parameter)
        self._parts: dict[str, tuple[torch.optim.Optimizer, float]] = {}
        if matrices and matrix_learning_rate:
            muon = torch.optim.Muon(
                matrices, lr=matrix_learning_rate, momentum=0.95, weight_decay=weight_decay
            )
            self._parts["muon"] = (muon, matrix_learning_rate)
        adam = torch.optim.AdamW(others, lr=learning_rate, betas=betas, weight_decay=weight_decay)
        self._parts["adam"] = (adam, learning_rate)
        self._parameters = matrices + others

    def clip(self, limit: float) -> Tensor:
        """Scale the gradients down to a joint norm of at most `limit`; returns the norm before."""
        return whole(nn.utils.clip_grad_norm_(self._parameters, limit))

    def step(self, scale: float = 1.0) -> None:
        """One update at `scale` of the base learning rates; clears the gradients."""
        for optimizer, base in self._parts.values():
            for group in optimizer.param_groups:
                group["lr"] = base * scale
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        return {name: optimizer.state_dict() for name, (optimizer, _) in self._parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, (optimizer, _) in self._parts.items():
            optimizer.load_state_dict(state[name])
            for parameter, held in optimizer.state.items():
                for key, value in held.items():
                    if isinstance(value, Tensor) and value.shape == parameter.shape:
                        held[key] = as_laid_out(value, parameter)


def learning_rate_scale(step: int, progress: float, warmup: int) -> float:
    """Linear warm-up, flat, then linear decay to 2 % over the last 40 % of the run."""
    decay = 1.0 if progress < 0.6 else 0.02 + 0.98 * (1.0 - progress) / 0.4
    return min(1.0, (step + 1) / max(1, warmup)) * decay
