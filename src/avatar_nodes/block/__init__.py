"""Defines blocks: sizes, data types, noise, schedule, and their sound as features."""
