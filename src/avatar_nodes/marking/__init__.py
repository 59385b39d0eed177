"""Marks the avatar's pictures as made by a machine, and reads such marks back."""
