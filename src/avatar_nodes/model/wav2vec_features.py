"""Audio features of the large model: wav2vec 2.0's hidden states, one column a video frame.

The public code hears a whole file at once: it resamples the 50 states a second to 30 and gives a
video frame the nearest of them. Here a block is heard in a window: `context_samples` of sound
before it and `lookahead_samples` after it. The states of a window stand exactly where those of the
whole stream do, for it is heard from a whole number of hops on, and every frame of a block has its
column; cutting a stream into blocks and hearing each alone, as the public streaming code does,
has no state for the last frame of each and stretches the others.

What a window cannot know is sound beyond it, which the model's layers would attend to: see
docs/weights.md for how much that changes. One that reaches from the stream's start to its end gives
the whole file's features, however it is cut. The look-ahead is sound that has to be there before a
block can be made, so live it is latency; zeros stand for what is not there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.block.audio_features import CONTEXT_COLUMNS
from avatar_nodes.block.speech_level import ContextColumns, Loudness, SpeechLevel
from avatar_nodes.block.timing import BlockTiming, TimingError
from avatar_nodes.model.wav2vec import HOP, RECEPTIVE, SAMPLE_RATE, Wav2Vec

SAMPLES_PER_SECOND = 30
"""The rate that the public code resamples to."""
LEAST_LOOKAHEAD = RECEPTIVE - HOP
"""Samples after a frame that the convolutions of its last state cover."""
LEAST_BESIDE = 2 * HOP
"""Samples beside the frames that are heard: a frame listens at most two states from its place."""


class Wav2VecFeatures:
    """`AudioFeatures` over a `Wav2Vec`.

    context_s, lookahead_s: sound heard before and after a block [s], rounded to whole frames.
    loudness: a window is divided by its own deviation, the `window`'s, or has been divided by the
    level of the stream's `speech` (`speech_level`). context_columns: the five before a block are
    `heard`, or copies of its first one, `repeated`.
    """

    def __init__(
        self, model: Wav2Vec, timing: BlockTiming, *, context_s: float, lookahead_s: float,
        loudness: Loudness = "window", context_columns: ContextColumns = "heard",
    ) -> None:  # fmt: skip
        """Raises TimingError: the model hears sound of another sample rate."""
        if timing.sample_rate != SAMPLE_RATE:
            raise TimingError(f"wav2vec 2.0 hears {SAMPLE_RATE} Hz, not {timing.sample_rate}")
        self._model = model
        self.timing = timing
        self.layers, self.dim = model.layers, model.dim
        rate, frame = timing.frame_rate, timing.samples_per_frame
        least = -(-LEAST_BESIDE // frame)
        self.context_samples = max(CONTEXT_COLUMNS + least, round(context_s * rate)) * frame
        self.lookahead_samples = max(least, round(lookahead_s * rate)) * frame
        self._places_repeat = rate // math.gcd(rate, SAMPLES_PER_SECOND // 2)
        self._is_levelled = loudness == "speech"
        self._repeats_first = context_columns == "repeated"

    def speech_level(self) -> SpeechLevel | None:
        """See `AudioFeatures.speech_level`."""
        return SpeechLevel(self.timing.samples_per_frame) if self._is_levelled else None

    def block(
        self, samples: np.ndarray, number: int = 0, *, ahead_samples: int | None = None
    ) -> Tensor:
        """See `AudioFeatures.block`.

        Raises:
            ValueError: the length is not context, n >= 1 frames and look-ahead.
        """
        ahead = self.lookahead_samples if ahead_samples is None else ahead_samples
        beside = self.context_samples + ahead
        frame = self.timing.samples_per_frame
        frames, rest = divmod(len(samples) - beside, frame)
        if rest or frames < 1:
            raise ValueError(f"{len(samples)} samples do not make whole frames of sound")
        first, whole = number * frames, self.context_samples // frame
        known = min(whole, first)  # a stream has no sound before its start
        window = samples[(whole - known) * frame :]
        if first > whole:  # so that no number grows with the stream; only the phase matters
            first = whole + (first - whole) % self._places_repeat
        return self._columns(window, first - known, first, frames)

    def columns(self, samples: np.ndarray) -> Tensor:
        """All columns of a whole sound, heard at once: float32 [n frames + 80 or more] -> [layers,
        D, 5 + n].
        """
        frames = (len(samples) - LEAST_LOOKAHEAD) // self.timing.samples_per_frame
        return self._columns(samples, 0, 0, frames)

    def _columns(self, window: np.ndarray, begin: int, first: int, count: int) -> Tensor:
        """Of `count` frames from `first` on and those before that they depend on; the window begins
        with frame `begin`. What is before the stream is as its first frame, as in the public code.
        """
        fps, begins_at = self.timing.frame_rate, begin * self.timing.samples_per_frame
        to_a_hop = -begins_at % HOP
        heard = np.ascontiguousarray(window[to_a_hop:], dtype=np.float32)
        states = self._model.hidden_states(torch.from_numpy(heard), is_levelled=self._is_levelled)
        least = first if self._repeats_first else 0
        frames = [max(least, f) for f in range(first - CONTEXT_COLUMNS, first + count)]
        origin = (begins_at + to_a_hop) // HOP
        return interpolated(states, [place_of(frame, fps) - origin for frame in frames])


def place_of(frame: int, fps: int) -> float:
    """Where among the 50 states a second a video frame listens."""
    return sample_of(frame, fps) * SAMPLE_RATE / HOP / SAMPLES_PER_SECOND


def sample_of(frame: int, fps: int) -> int:
    """Which of the 30 samples a second is a video frame's: the nearest, of two the even one."""
    return round(frame * SAMPLES_PER_SECOND / fps)


def interpolated(states: Tensor, places: Sequence[float]) -> Tensor:
    """Values [..., M] at M places among the columns of states [..., N], linear in between.

    Raises:
        ValueError: a place before the first column or behind the last.
    """
    at = torch.tensor(places, dtype=torch.float64)
    before = at.floor().long()
    if before.min() < 0 or at.max() > states.shape[-1] - 1:
        raise ValueError(f"places {places[0]}..{places[-1]} of {states.shape[-1]} states")
    after = (before + 1).clamp_max(states.shape[-1] - 1)
    share = (at - before).to(states.dtype)
    return torch.lerp(states[..., before], states[..., after], share)
