"""Keeps the avatar's own voice apart from the visitor's."""
