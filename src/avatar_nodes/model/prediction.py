"""Reads the head's output: as the velocity itself, or as what is new against the sink frame.

A small model that predicts velocities has to carry the noise of every cell through all its layers
to take it away again; what it loses on the way stays in the picture as grain, also where nothing
has changed. With `sink_difference` the output is the clean latent less the sink's, cell by cell: 0
where the picture is still, whatever the noise, and a model that knows nothing shows the sink. That
the clean picture is what a network of little width should predict is the finding of "Back to
Basics: Let Denoising Generative Models Denoise" (Li and He, 2025).
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Prediction = Literal["velocity", "sink_difference"]
PREDICTIONS: tuple[Prediction, ...] = ("velocity", "sink_difference")
LEAST_SIGMA = 0.05
"""Below this noise level a difference is divided by it instead, so that velocities stay finite."""


def velocity_of(
    output: Tensor, x: Tensor, t: Tensor, sink: Tensor, prediction: Prediction
) -> Tensor:
    """The velocity (noise less clean) that an output stands for, float32 [B, C, F, H, W].

    output and the noisy latents x are [B, C, F, H, W]; t [B], 0..1000; sink [B, C, 1, H, W].
    """
    if prediction == "velocity":
        return output
    sigma = (t.float() / 1000.0).clamp_min(LEAST_SIGMA).view(-1, 1, 1, 1, 1)
    return (x.float() - sink.float() - output) / sigma
