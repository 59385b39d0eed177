"""The typed, validated configuration of one avatar."""

from avatar_nodes.profile.hearing import hearing_all
from avatar_nodes.profile.load import load_profile, profile_names, with_values
from avatar_nodes.profile.problem import Problem, ProfileError
from avatar_nodes.profile.schema import NODE_KINDS, Profile
from avatar_nodes.profile.section import Mode

__all__ = [
    "NODE_KINDS",
    "Mode",
    "Problem",
    "Profile",
    "ProfileError",
    "hearing_all",
    "load_profile",
    "profile_names",
    "with_values",
]
