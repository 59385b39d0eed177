"""Long-Short Visual Memory: the last latent frames and key frames, as versions."""
