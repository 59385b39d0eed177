"""The sync judge: a small SyncNet of the tiny world, in two towers (Chung & Zisserman, 2016).

One tower sees five frames of mouth, the other the 0.2 s of sound that belong to them; both end in
a unit vector, and the vectors of what belongs together lie close. It is trained on the training
split only, on truth, never on the output of the model it judges.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_nodes.block.audio_features import MelFeatures
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.judging.footage import MOUTH_SHAPE, Footage

WINDOW_FRAMES = 5
"""0.2 s at 25 frames/s."""
DIM = 96


class SyncNet(nn.Module):
    """Embeds 0.2 s windows of mouths and of sound as unit vectors [B, 96]."""

    def __init__(self, mels: int = 40) -> None:
        super().__init__()
        self.mels = mels
        self.hops = WINDOW_FRAMES * MelFeatures.hops_per_frame
        rows, columns = MOUTH_SHAPE[0] // 8, MOUTH_SHAPE[1] // 8
        self.video = nn.Sequential(
            *_layer(3 * WINDOW_FRAMES, 32, 2), *_layer(32, 64, 2), *_layer(64, 96, 2),
            nn.Conv2d(96, 24, 1), nn.GELU(), nn.Flatten(), nn.Linear(24 * rows * columns, DIM),
        )  # fmt: skip
        self.audio = nn.Sequential(
            *_layer(1, 24, 1), *_layer(24, 48, 2), *_layer(48, 96, 2),
            nn.Conv2d(96, 32, 1), nn.GELU(), nn.Flatten(),
            nn.Linear(32 * (self.hops // 4) * (mels // 4), DIM),
        )  # fmt: skip

    def embed_video(self, mouths: Tensor) -> Tensor:
        """Mouths [B, 5, 3, 40, 56] in -1..1 -> [B, 96]."""
        return F.normalize(self.video(mouths.flatten(1, 2)), dim=1)

    def embed_audio(self, columns: Tensor) -> Tensor:
        """Log-mel columns [B, 5, 4 * mels] of `MelFeatures` -> [B, 96]."""
        hops = columns.reshape(len(columns), 1, self.hops, self.mels)
        return F.normalize(self.audio(hops), dim=1)


class TinySyncJudge:
    """Embeddings of a whole footage by a trained `SyncNet`."""

    pad = False

    def __init__(self, net: SyncNet, timing: BlockTiming | None = None) -> None:
        """timing: of the footage that it was trained on (None: the defaults)."""
        self._net = net.eval()
        self._features = MelFeatures(timing or BlockTiming(), mels=net.mels)

    @torch.inference_mode()
    def embed(self, footage: Footage) -> tuple[Tensor, Tensor]:
        """Video and audio embeddings, [F - 4, 96] each. Raises JudgeError: footage of another
        frame rate.
        """
        footage.require(self._features.timing)
        mouths = torch.from_numpy(footage.mouths()).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        columns = sound_columns(self._features, footage.sound)
        starts = range(len(footage) - WINDOW_FRAMES + 1)
        video = torch.stack([mouths[n : n + WINDOW_FRAMES] for n in starts])
        audio = torch.stack([columns[n : n + WINDOW_FRAMES] for n in starts])
        return self._net.embed_video(video), self._net.embed_audio(audio)


def sound_columns(features: MelFeatures, sound: np.ndarray) -> Tensor:
    """float32 [samples of F frames] -> [F, 4 * mels]: the columns of each frame's own sound."""
    past = np.zeros(features.window - features.hop, np.float32)
    return features.columns(np.concatenate([past, sound]))[0].T.contiguous()


def _layer(before: int, after: int, stride: int) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, 3, stride=stride, padding=1)
    return [conv, nn.GroupNorm(8, after), nn.GELU()]
