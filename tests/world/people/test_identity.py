import support.people  # noqa: F401 - skips where scipy is missing

from avatar_nodes.world.people.identity import BEARDS, LONG, Identity


def test_the_same_seed_is_the_same_person() -> None:
    assert Identity.sample(7) == Identity.sample(7)
    assert hash(Identity.sample(7)) == hash(Identity.sample(7))


def test_seeds_give_different_people() -> None:
    people = [Identity.sample(seed) for seed in range(200)]
    assert len({person.physique for person in people}) == 200
    assert len({person.style for person in people}) > 10
    assert {person.beard for person in people} == set(BEARDS)
    assert 60 < sum(person.feminine for person in people) < 140


def test_women_wear_no_beards_and_few_men_wear_long_hair() -> None:
    people = [Identity.sample(seed) for seed in range(300)]
    assert all(person.beard == "none" for person in people if person.feminine)
    long = [p for p in people if p.style in LONG and not p.feminine]
    assert len(long) < 20


def test_colours_and_measures_are_within_their_ranges() -> None:
    for seed in range(100):
        person = Identity.sample(seed)
        for colour in (person.skin, person.hair, person.iris, *person.colours):
            assert all(0.0 <= part <= 1.0 for part in colour)
        assert 0.4 <= person.framing.height <= 0.7
        assert abs(sum(person.physique.race) - 1.0) < 1e-6
