"""Turns clean latents into pictures, and the reference picture into the sink."""
