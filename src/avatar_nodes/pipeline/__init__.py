"""Builds the stations from a checkpoint, and runs them as one loop in this process."""
