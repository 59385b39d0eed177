"""A visitor's sound without the avatar's own voice, for those who take it as one stream."""

from __future__ import annotations

import numpy as np

from avatar_nodes.hearing.echo.echo import CleanFrame, EchoControl, level_db
from avatar_nodes.hearing.echo.gate import EchoGate
from avatar_nodes.hearing.sound_intake import SoundPiece


class CleanMicrophone:
    """Cancels the echo in what is captured, or makes what may be echo silent.

    Args:
        gate: asks for more than the expected echo while the avatar plays; None: no gate.
    """

    def __init__(self, echo: EchoControl, gate: EchoGate | None = None) -> None:
        self._echo, self._gate = echo, gate

    def hear(self, piece: SoundPiece, *, visitor: bool) -> tuple[np.ndarray, int]:
        """What is clean by now, int16 [n] at 16 kHz, and the index of its first sample.

        Args:
            visitor: a visitor is being heard.
        """
        if piece.begins:
            self._echo.restart()
        frames = self._echo.process(
            piece.samples, piece.first_sample, piece.captured_ns, visitor=visitor
        )
        if not frames:
            return np.zeros(0, np.int16), piece.first_sample
        sound = np.concatenate([self._gated(frame, visitor) for frame in frames])
        return sound, frames[0].first_sample

    def play(self, piece: SoundPiece) -> None:
        """What the avatar says, heard from the time on at which it was captured."""
        self._echo.play(piece.samples, piece.captured_ns, over=piece.over)

    def _gated(self, frame: CleanFrame, visitor: bool) -> np.ndarray:
        if self._gate is None or not frame.playing:
            return frame.samples
        level = level_db(frame.samples)
        passes = self._gate.passes(level, frame.reference_db, visitor=visitor)
        return frame.samples if passes else np.zeros_like(frame.samples)
