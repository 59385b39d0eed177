"""Dynamic Key-Frame Selection: which of the frames that leave short memory are worth keeping.

The bank keeps frames that are unlike each other. With unit features s_i, rho_i is the mean of
cos(s_i, s_j) over the others and R the mean of rho_i. A candidate replaces the frame that leaves
the smallest R', if R' is below a threshold: R itself, as in the paper. Two additions, each of which
can be switched off:

A gate. What is corrupted is unlike everything, so the rule above would take it and never let it go.
A candidate must be like the reference.

A decay. The rule alone keeps a minimum: the bank stops changing however long the stream goes on.
With every candidate refused the threshold comes nearer to 1, and the next replacement resets it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Generic, Literal, TypeVar

import numpy as np

Policy = Literal["diverse", "random"]
"""`random`: a uniform sample of what the gate let through (the paper's ablation "w/o DKFS")."""
Item = TypeVar("Item")


@dataclass(frozen=True)
class KeyFrameRules:
    """How a bank of key frames chooses.

    gate: least cosine of a candidate and the reference, -1..1; None: no gate. half_life:
    candidates refused in a row after which the threshold is half-way from R to 1; None: no decay.
    seed: of the policy `random`.
    """

    capacity: int
    policy: Policy = "diverse"
    gate: float | None = None
    half_life: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.capacity < 0:
            raise ValueError(f"capacity must be >= 0, got {self.capacity}")
        if self.policy not in ("diverse", "random"):
            raise ValueError(f"policy must be one of diverse, random, got {self.policy!r}")
        if self.gate is not None and not -1.0 <= self.gate <= 1.0:
            raise ValueError(f"gate must be a cosine, -1..1, or None, got {self.gate}")
        if self.half_life is not None and not self.half_life > 0.0:
            raise ValueError(f"half_life must be above 0, or None, got {self.half_life}")


def _empty() -> np.ndarray:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class KeyFrames(Generic[Item]):
    """A bank of key frames, oldest first. A value: `offer` returns the bank after it."""

    rules: KeyFrameRules
    items: tuple[Item, ...] = ()
    features: tuple[np.ndarray, ...] = ()
    """Of each item float64 [D], length 1; shared by the banks before and after an offer."""
    to_others: np.ndarray = field(default_factory=_empty)
    """float64 [frames]: for each the sum of its cosines with the others, kept up to date."""
    threshold: float = 1.0
    """A replacement must bring R' below it."""
    offered: int = 0
    gated: int = 0
    """Candidates that the gate refused."""
    replaced: int = 0

    def __len__(self) -> int:
        return len(self.items)

    @property
    def similarity(self) -> float:
        """R: mean cosine between different frames; 0 for fewer than two."""
        return self._mean(float(self.to_others.sum()))

    def offer(self, item: Item, feature: np.ndarray, reference: np.ndarray) -> KeyFrames[Item]:
        """The bank after a candidate. feature, reference: float64 [D], unit vectors.

        O(frames): the sums to the others are kept, so no pair is compared twice.
        """
        seen = replace(self, offered=self.offered + 1)
        if not self.rules.capacity:
            return seen
        if self.rules.gate is not None and not float(feature @ reference) >= self.rules.gate:
            return replace(seen, gated=self.gated + 1)
        if len(self) < self.rules.capacity:
            return seen._with(item, feature, self._cosines(feature), None)
        if self.rules.policy == "random":
            return seen._offer_by_lot(item, feature)
        return seen._offer_if_diverse(item, feature)

    def _offer_if_diverse(self, item: Item, feature: np.ndarray) -> KeyFrames[Item]:
        cosines = self._cosines(feature)
        total = self.to_others.sum()
        totals = total - 2.0 * self.to_others + 2.0 * (cosines.sum() - cosines)
        slot = int(totals.argmin())
        threshold = self.threshold if self.rules.half_life else self.similarity
        if self._mean(float(totals[slot])) < threshold:
            return self._with(item, feature, cosines, slot)
        if not self.rules.half_life:
            return self
        nearer = 1.0 - (1.0 - threshold) * 0.5 ** (1.0 / self.rules.half_life)
        return replace(self, threshold=nearer)

    def _offer_by_lot(self, item: Item, feature: np.ndarray) -> KeyFrames[Item]:
        admitted = self.offered - self.gated
        key = np.array([self.rules.seed, self.offered], dtype=np.uint64)
        slot = int(np.random.Generator(np.random.Philox(key=key)).integers(admitted))
        if slot >= len(self):
            return self
        return self._with(item, feature, self._cosines(feature), slot)

    def _with(
        self, item: Item, feature: np.ndarray, cosines: np.ndarray, slot: int | None
    ) -> KeyFrames[Item]:
        """With a new frame at the end, instead of the one at `slot`."""
        items, features, to_others = self.items, self.features, self.to_others + cosines
        if slot is not None:
            to_others = np.delete(to_others - self._cosines(features[slot]), slot)
            cosines = np.delete(cosines, slot)
            features = features[:slot] + features[slot + 1 :]
            items = items[:slot] + items[slot + 1 :]
        after = replace(
            self,
            items=(*items, item),
            features=(*features, feature),
            to_others=np.append(to_others, cosines.sum()),
            replaced=self.replaced + (slot is not None),
        )
        return replace(after, threshold=after.similarity)

    def _cosines(self, feature: np.ndarray) -> np.ndarray:
        return np.array([float(held @ feature) for held in self.features])

    def _mean(self, total: float) -> float:
        count = len(self)
        return total / (count * (count - 1)) if count > 1 else 0.0
