"""Benchmarks of speed, and what only they use."""
