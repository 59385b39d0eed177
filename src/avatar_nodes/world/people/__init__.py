"""Lifelike people of the world: drawn by OpenGL, with the truth of every frame (docs/world.md)."""

from avatar_nodes.world.people.assets import Assets, default_path
from avatar_nodes.world.people.clips import PeopleClip
from avatar_nodes.world.people.face import MAX_OPENING
from avatar_nodes.world.people.figure import LANDMARKS
from avatar_nodes.world.people.identity import Identity
from avatar_nodes.world.people.lens import photographed
from avatar_nodes.world.people.shot import Shot

__all__ = [
    "LANDMARKS",
    "MAX_OPENING",
    "Assets",
    "Identity",
    "PeopleClip",
    "Shot",
    "default_path",
    "photographed",
]
