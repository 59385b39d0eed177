"""No node takes a name that rclpy's nodes use for themselves: what they keep there would be lost.

`self._services` once was such a name: with it gone, life cycle and parameters never answered again.
"""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest
import rclpy
from rclpy.lifecycle import LifecycleNode

from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.container import node_class
from avatar_nodes.profile import NODE_KINDS

HOOKS = {"on_configure", "on_activate", "on_deactivate", "on_cleanup", "on_shutdown", "on_error"}
"""What rclpy wants overridden."""
LIMITED = {"get_logger"}
"""What does the same as rclpy's, and less of it."""
MEANT = {"setup", "start", "stop", "teardown", "adapt", "KIND", "SETTINGS", "exit_code"}
"""What we want overridden, or set."""
OF_EVERY_CLASS = set(vars(type("Empty", (), {}))) | {
    "__init__", "__init_subclass__", "__annotations__", "__parameters__", "__orig_bases__",
    "__firstlineno__", "__static_attributes__", "__type_params__",
}  # fmt: skip


def names_of(kind: type) -> set[str]:
    """The names that a class gives its objects: its methods, and what those store."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    stored = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and not isinstance(node.ctx, ast.Load)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    return stored | (set(vars(kind)) - OF_EVERY_CLASS)


@pytest.fixture
def taken(ros_context: rclpy.Context) -> set[str]:
    """The names of a node of rclpy itself."""
    node = LifecycleNode("plain", context=ros_context)
    names = set(dir(node)) - HOOKS - LIMITED - OF_EVERY_CLASS
    node.destroy_node()
    return names


def test_no_node_shadows_a_name_of_its_base(taken: set[str]) -> None:
    assert "_services" in taken and "_parameters" in taken
    kinds = [AvatarNode, *(node_class(name) for name in NODE_KINDS)]
    shadowed = {kind.__name__: sorted(names_of(kind) & taken) for kind in kinds}
    assert {name: names for name, names in shadowed.items() if names} == {}


def test_no_node_shadows_a_name_of_ours() -> None:
    ours = names_of(AvatarNode) - HOOKS - MEANT
    shadowed = {name: sorted(names_of(node_class(name)) & ours) for name in NODE_KINDS}
    assert {name: names for name, names in shadowed.items() if names} == {}
