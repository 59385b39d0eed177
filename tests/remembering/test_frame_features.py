"""What frames are described by: pooled latents, and SigLIP 2 from a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    Siglip2Config,
    Siglip2ImageProcessor,
    Siglip2Model,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
)

from avatar_nodes.remembering.frame_features import (
    FrameFeaturesError,
    PooledLatents,
    Siglip2Features,
)

LAYERS = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
}  # fmt: skip
TEXT = {**LAYERS, "vocab_size": 64, "max_position_embeddings": 8}


def _frames(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=["fixed", "flexible"])
def siglip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random SigLIP 2 model in either of its two published kinds."""
    folder = tmp_path_factory.mktemp(f"siglip_{request.param}")
    torch.manual_seed(0)
    if request.param == "fixed":
        vision = {**LAYERS, "image_size": 32, "patch_size": 8}
        SiglipModel(SiglipConfig(text_config=TEXT, vision_config=vision)).save_pretrained(folder)
        SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    else:
        vision = {**LAYERS, "patch_size": 8, "num_patches": 16}
        Siglip2Model(Siglip2Config(text_config=TEXT, vision_config=vision)).save_pretrained(folder)
        Siglip2ImageProcessor(patch_size=8, max_num_patches=16).save_pretrained(folder)
    return folder


def test_pooled_latents_are_unit_vectors_of_coarse_looks() -> None:
    latents = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    described = PooledLatents(4).describe(latents)
    assert described.shape == (3, 6 * 16) and described.dtype == np.float64
    assert np.allclose(np.linalg.norm(described, axis=1), 1.0)
    again = PooledLatents(4).describe(2.0 * latents)
    assert np.allclose(again, described)
    assert abs(described[0] @ described[1]) < 0.6


def test_small_latents_are_taken_cell_by_cell() -> None:
    latents = torch.randn(6, 3, 16, 12, generator=torch.Generator().manual_seed(0))
    described = PooledLatents().describe(latents)
    assert described.shape == (3, 6 * 16 * 12)
    wanted = latents[:, 1].flatten().double().numpy()
    assert np.allclose(described[1], wanted / np.linalg.norm(wanted))
    with pytest.raises(ValueError, match="cells must be above 0, got 0"):
        PooledLatents(0)


def test_siglip_describes_a_latent_by_the_mean_of_its_pictures(siglip: Path) -> None:
    features = Siglip2Features(siglip)
    latent, frames = torch.zeros(4, 2, 2, 2), _frames(8)
    described = features.describe(latent, frames)
    assert features.needs_frames
    assert described.shape == (2, 32)
    assert np.allclose(np.linalg.norm(described, axis=1), 1.0)
    assert np.allclose(features.describe(latent, frames), described)
    changed = frames.copy()
    changed[4:] = _frames(4, seed=2)
    other = features.describe(latent, changed)
    assert np.allclose(other[0], described[0], atol=1e-6)
    assert not np.allclose(other[1], described[1], atol=1e-4)


def test_siglip_needs_its_frames(siglip: Path) -> None:
    features = Siglip2Features(siglip)
    for frames in (None, _frames(3)):
        with pytest.raises(FrameFeaturesError, match="expected 8 frames for 2 latent frames"):
            features.describe(torch.zeros(4, 2, 2, 2), frames)


def test_folders_that_hold_no_such_model(tmp_path: Path) -> None:
    with pytest.raises(FrameFeaturesError, match=r"has no config\.json"):
        Siglip2Features(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "nonsense"}')
    with pytest.raises(FrameFeaturesError, match="no SigLIP 2 model"):
        Siglip2Features(tmp_path)
