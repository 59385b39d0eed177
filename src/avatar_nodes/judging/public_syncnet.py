"""Runs the public SyncNet (syncnet_v2, Chung & Zisserman 2016): its layers, weights and input.

It is what published Sync-C and Sync-D figures are measured with. It was trained on real faces; on
drawn ones its figures mean little.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.judging.footage import Footage, JudgeError, mouth_centre
from avatar_nodes.judging.mfcc import mfcc
from avatar_nodes.model.load_tensors import compare_tensors

DIM = 1024
SIDE = 224
WINDOW_FRAMES = 5
WINDOW_STEPS = 20
STEPS_PER_FRAME = 4
FACE_PX = 150
"""Side of the square around a face that is cropped from a 256 pixel picture, chin well inside."""


class PublicSyncNet(nn.Module):
    """Two towers of 1024 features; module names are those of the published state dict."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_conv2d(1, 64, 3, 1), nn.MaxPool2d((1, 1), (1, 1)),
            *_conv2d(64, 192, 3, 1), nn.MaxPool2d((3, 3), (1, 2)),
            *_conv2d(192, 384, 3, 1), *_conv2d(384, 256, 3, 1), *_conv2d(256, 256, 3, 1),
            nn.MaxPool2d((3, 3), (2, 2)), *_conv2d(256, 512, (5, 4), 0),
        )  # fmt: skip
        self.netfcaud = _head()
        self.netfclip = _head()
        self.netcnnlip = nn.Sequential(
            *_conv3d(3, 96, (5, 7, 7), 2, 0), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_conv3d(96, 256, (1, 5, 5), 2, 1), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_conv3d(256, 256, (1, 3, 3), 1, 1), *_conv3d(256, 256, (1, 3, 3), 1, 1),
            *_conv3d(256, 256, (1, 3, 3), 1, 1), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_conv3d(256, 512, (1, 6, 6), 1, 0),
        )  # fmt: skip

    def embed_audio(self, cepstra: Tensor) -> Tensor:
        """MFCCs [B, 1, 13, 20] -> [B, 1024]."""
        return self.netfcaud(self.netcnnaud(cepstra).flatten(1))

    def embed_video(self, faces: Tensor) -> Tensor:
        """BGR faces [B, 3, 5, 224, 224] in 0..255 -> [B, 1024]."""
        return self.netfclip(self.netcnnlip(faces).flatten(1))


class PublicSyncJudge:
    """Embeddings of a whole footage by the public SyncNet, as its own evaluation makes them."""

    pad = True

    def __init__(self, net: PublicSyncNet) -> None:
        self._net = net.eval()

    @torch.inference_mode()
    def embed(self, footage: Footage) -> tuple[Tensor, Tensor]:
        """Video and audio embeddings, [F - 5, 1024] each (the published code leaves one out).

        Raises JudgeError: footage that is not of 25 frames and 16,000 samples a second.
        """
        footage.require(BlockTiming())
        faces = _faces(footage)
        cepstra = torch.from_numpy(mfcc(np.round(footage.sound * 32767.0))).float().T[None]
        video, audio = [], []
        for first in range(len(footage) - WINDOW_FRAMES):
            step = first * STEPS_PER_FRAME
            video.append(self._net.embed_video(faces[None, :, first : first + WINDOW_FRAMES]))
            audio.append(self._net.embed_audio(cepstra[None, :, :, step : step + WINDOW_STEPS]))
        return torch.cat(video), torch.cat(audio)


def load_public_syncnet(path: Path) -> PublicSyncJudge:
    """Read a state dict in the published format (`syncnet_v2.model`).

    Raises JudgeError naming what is missing, unexpected or misshapen.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (
        OSError, RuntimeError, EOFError, IndexError, KeyError, ValueError, pickle.UnpicklingError,
    ) as error:  # fmt: skip
        # Bytes that are no pickle at all fail wherever the unpickler happens to stumble.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise JudgeError(f"{path}: is no file of PyTorch weights: {reason}") from error
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise JudgeError(f"{path}: is no state dict")
    net = PublicSyncNet()
    # Files older than PyTorch 0.4.1 do not count batches.
    counted = {k: v for k, v in net.state_dict().items() if k.endswith("num_batches_tracked")}
    problems = compare_tensors(net.state_dict(), {**counted, **found})
    if problems:
        raise JudgeError(f"{path}: {'; '.join(problems)}")
    net.load_state_dict({**counted, **found})
    return PublicSyncJudge(net)


def _faces(footage: Footage) -> Tensor:
    """BGR [3, F, 224, 224] in 0..255: the face with some room around, as its face tracks have."""
    crops = []
    for frame, box in zip(footage.frames, footage.boxes, strict=True):
        x, y = mouth_centre(box)
        scale = frame.shape[0] / 256.0
        side = round(FACE_PX * scale)
        rows = np.clip(np.arange(y - round(0.64 * side), y + round(0.36 * side)), 0, len(frame) - 1)
        columns = np.clip(np.arange(x - side // 2, x + side // 2), 0, frame.shape[1] - 1)
        patch = np.ascontiguousarray(frame[rows[:, None], columns[None]][..., ::-1])
        crops.append(cv2.resize(patch, (SIDE, SIDE)))
    return torch.from_numpy(np.stack(crops)).permute(3, 0, 1, 2).float()


def _conv2d(
    before: int, after: int, kernel: int | tuple[int, int], padding: int
) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, kernel, padding=padding)
    return [conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]


def _conv3d(
    before: int, after: int, kernel: tuple[int, int, int], stride: int, padding: int
) -> list[nn.Module]:
    conv = nn.Conv3d(before, after, kernel, (1, stride, stride), (0, padding, padding))
    return [conv, nn.BatchNorm3d(after), nn.ReLU(inplace=True)]


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, DIM))
