"""Clips as the model sees them: encoded, streamed, sampled."""
