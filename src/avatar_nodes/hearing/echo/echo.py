"""The avatar's own voice at the microphone: kept apart from the visitor's."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np

from avatar_nodes.hearing.audio_processing import FRAME
from avatar_nodes.hearing.echo.canceller import EchoCanceller, EchoCancellerError
from avatar_nodes.hearing.echo.presence import EchoPresence
from avatar_nodes.hearing.echo.reference import EchoReference, sample_at
from avatar_nodes.sound.audio_file import GRAPH_RATE

EchoMode = Literal["aec", "gate", "none"]
ECHO_MODES = ("aec", "gate", "none")

_PATIENCE_FRAMES = 20
"""Captured sound waits so long (0.2 s) for a reference that is under way."""
_RESYNC_SAMPLES = round(0.016 * GRAPH_RATE)
AUDIBLE_DB = -55.0
_SMOOTHING = 0.01


def level_db(samples: np.ndarray) -> float:
    """Level of int16 samples [dB relative to full scale], -120 for silence."""
    if not len(samples):
        return -120.0
    power = float(np.mean((samples.astype(np.float32) / 32768.0) ** 2))
    return max(-120.0, 10.0 * math.log10(power + 1e-12))


@dataclass(frozen=True)
class CleanFrame:
    """10 ms of the visitor's sound."""

    first_sample: int
    """Index as it was given to `process`."""
    samples: np.ndarray
    """int16 [FRAME]."""
    playing: bool
    """True: the avatar is heard, or was a moment ago."""
    reference_db: float
    """The loudest that the avatar was within that moment [dB relative to full scale]."""


class EchoControl:
    """Aligns captured with presented sound by their stamps, and cancels (`aec`) the echo, if there
    is one.

    In the other modes the sound passes as it is; who listens knows from each frame whether the
    avatar plays, and how loud.

    Args:
        delay_s: how much later than its stamp the avatar's sound leaves the loudspeaker, as far as
            known; the canceller finds up to 0.5 s more by itself.
        tail_s: how long after the avatar's last sound its echo may be heard.

    Raises:
        EchoCancellerError: mode `aec`, and its library is not there.
    """

    def __init__(self, mode: EchoMode, *, delay_s: float = 0.0, tail_s: float = 0.3) -> None:
        self._canceller = EchoCanceller() if mode == "aec" else None
        self._presence = EchoPresence() if mode == "aec" else None
        self._delay = round(delay_s * GRAPH_RATE)
        self._reference = EchoReference()
        self._position: int | None = None
        self._pending: deque[tuple[int, int, np.ndarray]] = deque()
        self._rest = np.zeros(0, np.int16)
        self._levels: deque[float] = deque(maxlen=max(1, round((tail_s + 0.05) * 100)))
        self._power_in = self._power_out = 0.0

    @property
    def present(self) -> bool | None:
        """The avatar is heard by the microphone, as far as is known; None: nobody looks."""
        return None if self._presence is None else self._presence.present

    @property
    def erle_db(self) -> float | None:
        """Echo return loss enhancement [dB]: how much the canceller takes away while only the
        avatar is heard; None: not known yet."""
        if not self._power_in or not self._power_out:
            return None
        return 10.0 * math.log10(self._power_in / self._power_out)

    def play(self, samples: np.ndarray, start_ns: int, *, over: bool = False) -> None:
        """The avatar's sound, int16 [n] at 16 kHz, heard from `start_ns` on."""
        self._reference.add(samples, start_ns, over=over)

    def process(
        self, samples: np.ndarray, first_sample: int, captured_ns: int, *, visitor: bool = False
    ) -> list[CleanFrame]:
        """Take captured sound (int16 [n], any length) and return the whole frames that are done.

        Args:
            first_sample: index of the first sample; runs follow each other without gaps.
            captured_ns: when it was captured.
            visitor: a visitor is being heard, so that losses say nothing about the canceller.
        """
        sound = np.concatenate([self._rest, samples])
        first_sample -= len(self._rest)
        time = sample_at(captured_ns) - len(self._rest)
        frames = len(sound) // FRAME
        for start in range(0, frames * FRAME, FRAME):
            part = sound[start : start + FRAME]
            self._pending.append((first_sample + start, time + start, part))
        self._rest = sound[frames * FRAME :]
        return self._release(visitor)

    def restart(self) -> None:
        """Captured sound does not continue what was before."""
        self._pending.clear()
        self._rest = np.zeros(0, np.int16)
        self._position = None

    def _release(self, visitor: bool) -> list[CleanFrame]:
        done = []
        while self._pending:
            first, time, captured = self._pending[0]
            wanted = time - self._delay
            if self._reference.awaited(wanted + FRAME) and len(self._pending) <= _PATIENCE_FRAMES:
                break
            self._pending.popleft()
            done.append(self._frame(first, wanted, captured, visitor))
        return done

    def _frame(self, first: int, wanted: int, captured: np.ndarray, visitor: bool) -> CleanFrame:
        if self._position is None or abs(wanted - self._position) > _RESYNC_SAMPLES:
            self._position = wanted
        reference = self._reference.read(self._position, FRAME)
        self._position += FRAME
        self._levels.append(level_db(reference))
        loudest = max(self._levels)
        playing = loudest > AUDIBLE_DB
        clean = captured
        if self._canceller is not None and self._presence is not None:
            clean = self._canceller.process(captured, reference)
            if not self._presence.update(captured, reference):
                clean = captured
            elif playing and not visitor:
                self._measure(captured, clean)
        return CleanFrame(first, clean, playing, loudest)

    def _measure(self, captured: np.ndarray, clean: np.ndarray) -> None:
        power_in = float(np.mean(captured.astype(np.float32) ** 2)) + 1.0
        power_out = float(np.mean(clean.astype(np.float32) ** 2)) + 1.0
        self._power_in += _SMOOTHING * (power_in - self._power_in)
        self._power_out += _SMOOTHING * (power_out - self._power_out)


def open_echo_control(
    mode: EchoMode, *, delay_s: float, tail_s: float
) -> tuple[EchoMode, EchoControl, str]:
    """What was asked for (see `EchoControl`), or the gate in place of a canceller that is not
    there; then also a line that says so."""
    try:
        return mode, EchoControl(mode, delay_s=delay_s, tail_s=tail_s), ""
    except EchoCancellerError as error:
        gated = EchoControl("gate", delay_s=delay_s, tail_s=tail_s)
        return "gate", gated, f"the echo is gated, not cancelled: {error}"
