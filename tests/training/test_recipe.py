"""Recipes: the shipped one is valid, mistakes are named."""

from dataclasses import replace
from pathlib import Path

import pytest

from avatar_nodes.profile.resources import share_path
from avatar_nodes.training.recipe import RecipeError, read_recipe


def test_the_shipped_recipe_trains_on_the_profiles_noise_levels() -> None:
    from avatar_nodes.profile import load_profile

    recipe = read_recipe(share_path("config", "training", "tiny.yaml"))
    assert list(recipe.sigmas) == list(load_profile("tiny").model.sigmas)
    assert recipe.causal.batch == 8


def test_the_scores_of_the_shipped_recipe_weigh_alike() -> None:
    """Their difference is what distillation learns from: nothing else may tell them apart."""
    recipe = read_recipe(share_path("config", "training", "tiny.yaml"))
    assert recipe.teacher.mouth_weight == recipe.distill.fake_mouth_weight
    assert recipe.teacher.motion_weight == 1.0
    assert recipe.teacher.blocks == recipe.distill.blocks


def test_the_large_recipe_has_the_papers_numbers() -> None:
    recipe = read_recipe(share_path("config", "training", "wan_s2v_14b.yaml"))
    assert str(recipe.weights) == "checkpoints/wan_s2v_14b"
    of_its_own = replace(recipe, weights=None).architecture
    assert of_its_own.dim == 5120 and not of_its_own.enable_framepack
    assert recipe.videos.width == 704 and recipe.videos.height == 384
    assert of_its_own.latent_shape == (16, recipe.videos.height // 8, recipe.videos.width // 8)
    assert recipe.videos.blocks >= recipe.causal.blocks == recipe.distill.blocks
    assert recipe.causal.same_noise_share == 0.0 and recipe.causal.on_schedule_share == 0.0
    assert recipe.causal.lora == recipe.distill.lora
    assert recipe.distill.lora is not None and recipe.causal.lora is not None
    assert (recipe.distill.lora.rank, recipe.distill.lora.alpha) == (128, 64)
    assert (recipe.causal.steps, recipe.distill.steps) == (25_000, 2_500)
    assert (recipe.distill.learning_rate, recipe.distill.fake_learning_rate) == (1e-5, 2e-6)
    assert recipe.distill.blocks * 12 == 84
    assert recipe.distill.fake_updates == 5 and recipe.distill.block_by_block


def test_what_a_recipe_leaves_out_keeps_its_default(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("causal: {steps: 7}\n")
    recipe = read_recipe(path)
    assert recipe.causal.steps == 7
    assert recipe.vae == read_recipe(None).vae


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("causal: {stepz: 7}\n", "stepz"),
        ("causal: {steps: many}\n", "causal.steps"),
        ("unknown: 1\n", "unknown"),
        ("a: [\n", "not YAML"),
        ("distill: {history_noise: 0.1, history_corrupt: false}\n", "without history_corrupt"),
        ("causal: {same_noise_share: 1.5}\n", "same_noise_share must be 0..1"),
        ("weights: w\n", "sample_every must be 0 with weights"),
    ],
)
def test_mistakes_are_named_with_the_file(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=words) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)
