"""Streaming audio features: one window of sound a block, equal to the whole file's features."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.block.speech_level import SpeechLevel
from avatar_nodes.block.timing import BlockTiming, TimingError

CONTEXT_COLUMNS = 5
"""Feature columns before a block that its first latent frame still depends on (4j-5 .. 4j+3)."""


class AudioFeatures(Protocol):
    """Turns the sound of a block, and some sound before it, into the model's audio columns."""

    timing: BlockTiming
    """Of the blocks that it takes the sound of."""
    context_samples: int
    """Samples needed before the block's first one (zeros before the stream's start)."""
    lookahead_samples: int
    """Samples needed after the block's last one (zeros after the stream's end)."""

    def speech_level(self) -> SpeechLevel | None:
        """A new one, where windows are to be divided by the level of a stream's speech."""
        ...

    def block(
        self, samples: np.ndarray, number: int = 0, *, ahead_samples: int | None = None
    ) -> Tensor:
        """float32 [context_samples + n frames + ahead_samples], as an `AudioWindow` with this
        `speech_level` makes them -> [layers, D, 5 + n] for n video frames. number: the block's,
        counted from the stream's start. ahead_samples: None for `lookahead_samples`; fewer where
        the stream ends before them.
        """
        ...


class MelFeatures:
    """Log-mel energies, four hops stacked to one column a video frame (tiny profile): of 10 ms at
    25 frames a second.

    A hop is heard in a window of 25 ms, or of its own length where that is longer. The window ends
    where the hop ends, so a column depends on no later sound; that is why the columns of a block
    are bit for bit the same however the stream is cut into blocks.
    """

    hops_per_frame = 4
    floor = -1.0
    """The lowest value of a column: silence."""
    lookahead_samples = 0

    def __init__(self, timing: BlockTiming, *, mels: int = 40) -> None:
        """Raises TimingError: a hop is not a whole number of samples."""
        from transformers.audio_utils import mel_filter_bank  # a second, spared to other stages

        frame = timing.samples_per_frame
        self.hop, rest = divmod(frame, self.hops_per_frame)
        if rest:
            raise TimingError(f"{frame} samples a frame: expected whole quarters")
        self.timing = timing
        self.window = max(timing.sample_rate // 40, self.hop)
        self.fft = 1 << (self.window - 1).bit_length()
        self.mels = mels
        self.dim = mels * self.hops_per_frame
        self.context_samples = CONTEXT_COLUMNS * frame + self.window - self.hop
        bank = mel_filter_bank(
            num_frequency_bins=self.fft // 2 + 1,
            num_mel_filters=mels,
            min_frequency=60.0,
            max_frequency=min(7600.0, timing.sample_rate * 19 / 40),
            sampling_rate=timing.sample_rate,
            norm=None,
            mel_scale="htk",
        )
        self._bank = torch.from_numpy(bank).float()
        self._taper = torch.hann_window(self.window, periodic=True)

    def speech_level(self) -> None:
        """None: a hop's energy is what it is."""

    def columns(self, samples: np.ndarray) -> Tensor:
        """float32 [window - hop + n frames] (the first hop's past, then n frames) -> [1, D, n].

        Values are about -1..1.6: log10 of the band's energy, -1 at 90 dB under full scale.
        Raises:
            ValueError: the length is another.
        """
        frame = self.timing.samples_per_frame
        count, rest = divmod(len(samples) - (self.window - self.hop), frame)
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
            ValueError: the length is not context_samples and n >= 1 frames.
        """
        return self.columns(samples)
