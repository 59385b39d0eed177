"""How long a block is, for those that do without torch."""

from __future__ import annotations

SAMPLE_RATE = 16_000
FRAME_RATE = 25
FRAMES_PER_BLOCK = 12
LATENTS_PER_BLOCK = 3
SAMPLES_PER_BLOCK = SAMPLE_RATE * FRAMES_PER_BLOCK // FRAME_RATE
"""7680 samples, 0.48 s."""
