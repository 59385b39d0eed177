"""Figures of a reply that a visitor interrupted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cut:
    """A reply that was held; seconds from the moment that speech was detected."""

    sound_s: float
    """To the end of its last sound."""
    mouth_s: float
    """To the first frame that was made in silence."""
    blocks_ahead: int
    """Blocks that were on their way: issued, and not yet begun to be shown."""
    allowed_s: float
    """For the mouth: a block, the way of a block through the graph, and a margin."""
    closed_s: float | None = None
    """To the first picture from which on the mouth is closed; None: not looked for, or never."""

    @property
    def mouth_late(self) -> bool:
        """It took longer than allowed, however much was on its way."""
        return self.mouth_s > self.allowed_s

    @property
    def closed_late(self) -> bool:
        """The mouth was seen to close later than allowed."""
        return self.closed_s is not None and self.closed_s > self.allowed_s


@dataclass(frozen=True)
class BargeIn:
    """States of the avatar: shown when speech was detected, and a second later."""

    before: str
    after: str
    held: bool = False
    """A reply was heard, or being made, and was held."""
