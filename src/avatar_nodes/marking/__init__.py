"""Marking what the avatar shows as made by a machine, and reading such marks back."""
