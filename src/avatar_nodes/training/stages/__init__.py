"""The stages of `avatar train`, one a file."""
