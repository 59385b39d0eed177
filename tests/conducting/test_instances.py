"""Another process under a node's name counts once the one before has fallen silent."""

from __future__ import annotations

from avatar_nodes.conducting.instances import Instances


def test_a_stranger_does_not_take_the_place_of_a_living_node() -> None:
    instances = Instances("decoder")
    for tick in range(100):
        assert instances.heard("decoder", "first", tick * 0.5)
        assert not instances.heard("decoder", f"stranger {tick}", tick * 0.5 + 0.25)
    assert not instances.heard("nobody", "first", 50.0)


def test_a_restarted_one_does() -> None:
    instances = Instances("decoder")
    assert instances.heard("decoder", "first", 0.0)
    assert not instances.heard("decoder", "second", 0.5)
    assert instances.heard("decoder", "second", 1.0)
    assert not instances.heard("decoder", "first", 1.0)
