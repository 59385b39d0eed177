"""Computes the Frechet distance between two sets of features (Dowson & Landau, 1982).

With our own judges' features it is never the FID or the FVD, whose networks are others; reports
name the features.
"""

from __future__ import annotations

import numpy as np
import torch


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Squared distance of the Gaussians fitted to features [N, D] and [M, D].

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), in float64.
    Raises:
        ValueError: the widths differ, or there are fewer than two of either.
    """
    if first.ndim != 2 or first.shape[1:] != second.shape[1:] or min(len(first), len(second)) < 2:
        raise ValueError(f"features {list(first.shape)} and {list(second.shape)}")
    a, b = (torch.from_numpy(np.ascontiguousarray(x, np.float64)) for x in (first, second))
    mean = (a.mean(dim=0) - b.mean(dim=0)).square().sum()
    ca, cb = (torch.atleast_2d(torch.cov(x.T)) for x in (a, b))
    # tr (Ca Cb)^(1/2) is that of the symmetric Ca^(1/2) Cb Ca^(1/2), whose eigenvalues are real.
    values, vectors = torch.linalg.eigh(ca)
    root = vectors * values.clamp_min(0.0).sqrt() @ vectors.T
    product = torch.linalg.eigvalsh(root @ cb @ root).clamp_min(0.0).sqrt().sum()
    return max(0.0, float(mean + ca.trace() + cb.trace() - 2.0 * product))
