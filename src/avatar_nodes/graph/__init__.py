"""Describes the node graph as data and runs it as supervised processes."""
