"""Clips of the tiny world as the model sees them: encoded, streamed, sampled."""
