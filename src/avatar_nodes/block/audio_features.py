"""Streaming audio features: one window of sound a block, equal to the whole file's features."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.block.block_size import FRAME_RATE, SAMPLE_RATE

SAMPLES_PER_FRAME = SAMPLE_RATE // FRAME_RATE
CONTEXT_COLUMNS = 5
"""Feature columns before a block that its first latent frame still depends on (4j-5 .. 4j+3)."""


class AudioFeatures(Protocol):
    """Turns the sound of a block, and some sound before it, into the model's audio columns."""

    context_samples: int
    """Samples needed before the block's first one (zeros before the stream's start)."""
    lookahead_samples: int
    """Samples needed after the block's last one (zeros after the stream's end)."""

    def block(
        self, samples: np.ndarray, number: int = 0, *, ahead_samples: int | None = None
    ) -> Tensor:
        """float32 [context_samples + n * 640 + ahead_samples] in -1..1 -> [layers, D, 5 + n] for n
        video frames. number: the block's, counted from the stream's start. ahead_samples: None for
        `lookahead_samples`; fewer where the stream ends before them.
        """
        ...


class MelFeatures:
    """Log-mel energies, four 10 ms hops stacked to one column a video frame (tiny profile).

    The window of a hop ends where the hop ends, so a column depends on no later sound; that is why
    the columns of a block are bit for bit the same however the stream is cut into blocks.
    """

    hops_per_frame = 4
    hop = SAMPLES_PER_FRAME // hops_per_frame
    window = 400
    fft = 512
    floor = -1.0
    """The lowest value of a column: silence."""
    lookahead_samples = 0

    def __init__(self, *, mels: int = 40) -> None:
        from transformers.audio_utils import mel_filter_bank  # a second, spared to other stages

        self.mels = mels
        self.dim = mels * self.hops_per_frame
        self.context_samples = CONTEXT_COLUMNS * SAMPLES_PER_FRAME + self.window - self.hop
        bank = mel_filter_bank(
            num_frequency_bins=self.fft // 2 + 1,
            num_mel_filters=mels,
            min_frequency=60.0,
            max_frequency=7600.0,
            sampling_rate=SAMPLE_RATE,
            norm=None,
            mel_scale="htk",
        )
        self._bank = torch.from_numpy(bank).float()
        self._taper = torch.hann_window(self.window, periodic=True)

    def columns(self, samples: np.ndarray) -> Tensor:
        """float32 [240 + n * 640] (15 ms of past, then n frames) -> [1, 4 * mels, n].

        Values are about -1..1.6: log10 of the band's energy, -1 at 90 dB under full scale.
        Raises:
            ValueError: the length is not 240 + n * 640.
        """
        count, rest = divmod(len(samples) - (self.window - self.hop), SAMPLES_PER_FRAME)
        if rest or count < 1:
            raise ValueError(f"{len(samples)} samples do not make whole frames of sound")
        hops = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
        hops = hops.unfold(0, self.window, self.hop) * self._taper
        spectrum = torch.fft.rfft(hops, n=self.fft).abs().square()
        energy = spectrum @ self._bank / self._taper.sum().square()
        level = (torch.log10(energy.clamp_min(1e-9)) + 6.0) / 3.0
        return level.reshape(count, self.dim).T.unsqueeze(0).contiguous()

    def block(
        self, samples: np.ndarray, number: int = 0, *, ahead_samples: int | None = None
    ) -> Tensor:
        """See `AudioFeatures.block`; the same for any number, and without sound ahead.

        Raises:
            ValueError: the length is not context_samples + n * 640 with n >= 1.
        """
        return self.columns(samples)
