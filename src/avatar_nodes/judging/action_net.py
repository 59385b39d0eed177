"""The action judge: recognises the named action performed at every second frame of a video."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.judging.footage import Footage
from avatar_nodes.world import ACTIONS, SHOW

STRIDE = 2
"""It looks at every second frame: 12.5 a second."""
JUDGED_ACTIONS: tuple[str, ...] = (*ACTIONS, SHOW)
"""The actions that it tells apart; `rest` first."""
_CHANNELS = 8
"""A picture, its change since the picture before, and its mean difference from the reference."""


class ActionNet(nn.Module):
    """Two towers over whole picture and face, then convolutions over time, which see 12 frames to
    either side of the judged one: about a second in all."""

    def __init__(self, actions: tuple[str, ...] = JUDGED_ACTIONS) -> None:
        super().__init__()
        self.actions = actions
        self.body = _tower()
        self.face = _tower()
        self.time = nn.Sequential(
            nn.Conv1d(128, 96, 5, padding=2), nn.GELU(),
            nn.Conv1d(96, 96, 5, padding=4, dilation=2), nn.GELU(),
        )  # fmt: skip
        self.head = nn.Conv1d(96, len(actions), 1)

    def features(self, bodies: Tensor, faces: Tensor) -> Tensor:
        """As `forward` -> [B, T, 96], features of the action around each moment."""
        batch, length = bodies.shape[:2]
        towers = ((self.body, bodies), (self.face, faces))
        seen = [tower(x.flatten(0, 1)).unflatten(0, (batch, length)) for tower, x in towers]
        return self.time(torch.cat(seen, dim=2).transpose(1, 2)).transpose(1, 2)

    def forward(self, bodies: Tensor, faces: Tensor) -> Tensor:
        """Inputs of `action_input` [B, T, 8, 64, 64] each -> logits [B, T, actions]."""
        return self.head(self.features(bodies, faces).transpose(1, 2)).transpose(1, 2)


class ActionJudge:
    """Logits and features of a whole footage by a trained `ActionNet`."""

    def __init__(self, net: ActionNet, timing: BlockTiming | None = None) -> None:
        """timing: of the footage that it was trained on (None: the defaults)."""
        self._net = net.eval()
        self._timing = timing or BlockTiming()
        self.actions = net.actions

    @torch.inference_mode()
    def logits(self, footage: Footage, reference: Footage) -> np.ndarray:
        """float32 [ceil(F / 2), actions] at frames 0, 2, 4…; reference: one frame at rest.

        Raises JudgeError: footage of another frame rate.
        """
        footage.require(self._timing)
        return self._net(*_inputs(footage, reference))[0].numpy()

    @torch.inference_mode()
    def features(self, footage: Footage, reference: Footage) -> np.ndarray:
        """float32 [ceil(F / 2), 96]: motion around each moment, for Frechet distances.

        Raises JudgeError: footage of another frame rate.
        """
        footage.require(self._timing)
        return self._net.features(*_inputs(footage, reference))[0].numpy()


def action_input(pictures: Tensor, reference: Tensor) -> Tensor:
    """Pictures [B, T, 3, h, w] and the reference [B, 1, 3, h, w], all in -1..1 -> [B, T, 8, h, w].

    Picture, change since the one before, mean difference from the reference and its size.
    """
    before = torch.cat([pictures[:, :1], pictures[:, :-1]], dim=1)
    away = (pictures - reference).mean(dim=2, keepdim=True)
    size = (pictures - reference).abs().mean(dim=2, keepdim=True)
    return torch.cat([pictures, 2.0 * (pictures - before), 2.0 * away, 2.0 * size], dim=2)


def _inputs(footage: Footage, reference: Footage) -> tuple[Tensor, Tensor]:
    every = footage.strided(STRIDE)
    pairs = ((every.bodies(), reference.bodies()), (every.faces(), reference.faces()))
    return tuple(action_input(_tensor(a), _tensor(b)) for a, b in pairs)  # type: ignore[return-value]


def _tensor(pictures: np.ndarray) -> Tensor:
    """uint8 [T, h, w, 3] -> float32 [1, T, 3, h, w] in -1..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1.0).unsqueeze(0)


def _tower() -> nn.Sequential:
    """64x64 -> 64 features."""
    layers: list[nn.Module] = []
    for before, after in ((_CHANNELS, 24), (24, 40), (40, 56), (56, 64)):
        conv = nn.Conv2d(before, after, 3, stride=2, padding=1)
        layers += [conv, nn.GroupNorm(8, after), nn.GELU()]
    return nn.Sequential(
        *layers, nn.Conv2d(64, 16, 1), nn.GELU(), nn.Flatten(), nn.Linear(16 * 16, 64)
    )
