"""Key frames: running totals equal the definition, the gate keeps corruption out, decay keeps the
bank moving."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_nodes.remembering.key_frames import KeyFrameRules, KeyFrames

DIM = 8


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _features(seed: int, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [_unit(v) for v in rng.normal(size=(count, DIM)) + 1.5]


def _mean_similarity(features: np.ndarray) -> float:
    """R as the paper defines it: the mean over frames of the mean cosine with the others."""
    cosines = features @ features.T
    others = (cosines.sum(axis=1) - 1.0) / (len(features) - 1)
    return float(others.mean())


def _offered(
    rules: KeyFrameRules, features: list[np.ndarray], reference: np.ndarray | None = None
) -> list[KeyFrames[int]]:
    bank: KeyFrames[int] = KeyFrames(rules)
    banks = []
    for number, feature in enumerate(features):
        bank = bank.offer(number, feature, features[0] if reference is None else reference)
        banks.append(bank)
    return banks


def test_every_decision_is_that_of_all_pairs_compared_anew() -> None:
    features = _features(1, 400)
    bank: KeyFrames[int] = KeyFrames(KeyFrameRules(capacity=6))
    for number, candidate in enumerate(features):
        after = bank.offer(number, candidate, candidate)
        if len(bank) < 6:
            assert after.items == (*bank.items, number)
        else:
            tries = []
            for slot in range(6):
                kept = np.delete(bank.features, slot, axis=0)
                tries.append(_mean_similarity(np.vstack([kept, candidate])))
            slot = int(np.argmin(tries))
            kept_items = bank.items[:slot] + bank.items[slot + 1 :]
            better = tries[slot] < _mean_similarity(np.stack(bank.features))
            assert after.items == ((*kept_items, number) if better else bank.items)
        bank = after
    assert bank.replaced > 10
    assert bank.similarity == pytest.approx(_mean_similarity(np.stack(bank.features)), abs=1e-12)


def test_running_totals_do_not_drift() -> None:
    bank = _offered(KeyFrameRules(capacity=10, policy="random"), _features(2, 5000))[-1]
    features = np.stack(bank.features)
    cosines = features @ features.T
    assert bank.replaced > 30
    assert np.allclose(bank.to_others, cosines.sum(axis=1) - 1.0, atol=1e-9)


def test_items_and_features_stay_together_oldest_first() -> None:
    features = _features(3, 300)
    for policy in ("diverse", "random"):
        bank = _offered(KeyFrameRules(capacity=5, policy=policy), features)[-1]
        assert list(bank.items) == sorted(bank.items)
        assert np.array_equal(bank.features, np.stack([features[n] for n in bank.items]))


def test_a_bank_is_a_value() -> None:
    banks = _offered(KeyFrameRules(capacity=3), _features(4, 30))
    before = banks[9]
    kept = (before.items, np.stack(before.features), before.to_others.copy())
    before.offer(99, _features(5, 1)[0], before.features[0])
    assert before.items == kept[0]
    assert np.array_equal(before.features, kept[1]) and np.array_equal(before.to_others, kept[2])


def test_it_keeps_what_was_shown_once_among_much_of_the_same() -> None:
    """A thousand frames of one view, and one frame each of three others."""
    rng = np.random.default_rng(6)
    usual = np.eye(DIM)[0]
    features = [_unit(usual + 0.05 * rng.normal(size=DIM)) for _ in range(1000)]
    for number, view in ((100, 1), (400, 2), (700, 3)):
        features[number] = _unit(usual + np.eye(DIM)[view])
    diverse = _offered(KeyFrameRules(capacity=6), features)[-1]
    assert {100, 400, 700} <= set(diverse.items)
    by_lot = _offered(KeyFrameRules(capacity=6, policy="random"), features)[-1]
    assert not {100, 400, 700} <= set(by_lot.items)


def _one_in_ten_corrupted(reference: np.ndarray) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [
        _unit(rng.normal(size=DIM) - reference)
        if n % 10 == 9
        else _unit(reference + 0.15 * rng.normal(size=DIM))
        for n in range(300)
    ]


class TestGate:
    """Corrupted frames are unlike the reference, and each other: just what the rule likes."""

    reference = np.eye(DIM)[0]
    features = _one_in_ten_corrupted(reference)

    def _corrupted(self, gate: float | None) -> int:
        bank = _offered(KeyFrameRules(capacity=8, gate=gate), self.features, self.reference)[-1]
        return sum(item % 10 == 9 for item in bank.items)

    def test_without_it_corruption_is_what_the_bank_likes_best(self) -> None:
        assert self._corrupted(None) >= 4  # of 8, where one candidate in ten is corrupted

    def test_with_it_there_is_none(self) -> None:
        assert self._corrupted(0.3) == 0

    def test_what_it_refuses_is_counted(self) -> None:
        bank = _offered(KeyFrameRules(capacity=8, gate=0.3), self.features, self.reference)[-1]
        assert (bank.gated, bank.offered) == (30, 300)


class TestDecay:
    features = _features(8, 3000)

    def _replacements(self, half_life: float | None) -> tuple[int, int]:
        """In the first and in the last thousand candidates."""
        banks = _offered(KeyFrameRules(capacity=8, half_life=half_life), self.features)
        return banks[999].replaced, banks[2999].replaced - banks[1999].replaced

    def test_without_it_the_bank_ossifies(self) -> None:
        early, late = self._replacements(None)
        assert early > 5 * max(1, late)

    def test_with_it_the_bank_goes_on_changing(self) -> None:
        early, late = self._replacements(30.0)
        assert late > 0.5 * early

    def test_the_slower_the_fewer(self) -> None:
        late = [self._replacements(half_life)[1] for half_life in (3.0, 30.0, 300.0)]
        assert late == sorted(late, reverse=True)


def test_the_lot_is_a_uniform_sample_and_the_same_for_a_seed() -> None:
    features = _features(9, 400)
    samples = [
        _offered(KeyFrameRules(capacity=20, policy="random", seed=seed), features)[-1].items
        for seed in range(40)
    ]
    assert (
        samples[0]
        == _offered(KeyFrameRules(capacity=20, policy="random", seed=0), features)[-1].items
    )
    assert samples[0] != samples[1]
    assert np.mean([np.mean(items) for items in samples]) == pytest.approx(199.5, abs=15)


@pytest.mark.parametrize("policy", ["diverse", "random"])
@pytest.mark.parametrize("capacity", [0, 1])
def test_tiny_banks(policy: str, capacity: int) -> None:
    rules = KeyFrameRules(capacity=capacity, policy=policy)  # type: ignore[arg-type]
    bank = _offered(rules, _features(10, 20))[-1]
    assert (len(bank), bank.similarity, bank.offered) == (capacity, 0.0, 20)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"capacity": -1}, "capacity"),
        ({"capacity": 1, "policy": "best"}, "policy must be one of"),
        ({"capacity": 1, "gate": 2.0}, "gate"),
        ({"capacity": 1, "half_life": 0.0}, "half_life"),
    ],
)
def test_impossible_rules(values: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        KeyFrameRules(**values)  # type: ignore[arg-type]


def test_banks_share_what_they_both_hold() -> None:
    """A memory node keeps over a hundred of them."""
    features = _features(7, 60)
    banks = _offered(KeyFrameRules(capacity=4, policy="random"), features)
    assert banks[-1].replaced > 3
    for bank in banks[1:]:
        assert all(held is features[n] for n, held in zip(bank.items, bank.features, strict=True))
