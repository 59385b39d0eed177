"""What the head's output means: a velocity, or the difference from the sink."""

from __future__ import annotations

import pytest
import torch

from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig, ModelConfigError
from avatar_nodes.model.prediction import LEAST_SIGMA, velocity_of

SMALL = {
    "dim": 32, "ffn_dim": 64, "num_layers": 2, "num_heads": 2, "freq_dim": 32, "text_dim": 16,
    "in_dim": 4, "out_dim": 4, "cond_dim": 4, "audio_dim": 8, "audio_inject_layers": (0,),
    "latent_shape": (4, 4, 4),
}  # fmt: skip


def latents(seed: int, frames: int) -> torch.Tensor:
    return torch.randn(2, 4, frames, 4, 4, generator=torch.Generator().manual_seed(seed))


def test_a_velocity_is_the_output_itself() -> None:
    output = latents(0, 3)
    made = velocity_of(
        output, latents(1, 3), torch.tensor([500.0, 900.0]), latents(2, 1), "velocity"
    )
    assert made is output


def test_the_true_difference_gives_the_true_velocity() -> None:
    clean, noise, sink = latents(0, 3), latents(1, 3), latents(2, 1)
    t = torch.tensor([1000.0, 250.0])
    sigma = (t / 1000.0).view(-1, 1, 1, 1, 1)
    x = (1 - sigma) * clean + sigma * noise
    made = velocity_of(clean - sink, x, t, sink, "sink_difference")
    torch.testing.assert_close(made, noise - clean, atol=1e-5, rtol=1e-4)


def test_velocities_stay_finite_where_there_is_no_noise() -> None:
    x, sink = latents(1, 3), latents(2, 1)
    made = velocity_of(torch.zeros_like(x), x, torch.tensor([0.0, 1.0]), sink, "sink_difference")
    torch.testing.assert_close(made, (x - sink) / LEAST_SIGMA)


def _inputs(config: DiTConfig) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        "x": torch.randn(1, 2, 4, 3, 4, 4, generator=generator),
        "t": torch.tensor([[900.0, 500.0]]),
        "audio": torch.randn(1, 2, 1, 8, 17, generator=generator),
        "text_states": torch.randn(1, 5, 16, generator=generator),
        "sink_latent": torch.randn(1, 4, 1, 4, 4, generator=generator),
        "prompt_index": torch.zeros(1, 2, dtype=torch.int64),
    }


def test_an_untrained_model_shows_the_sink_whatever_the_noise() -> None:
    """In one step from pure noise, in every way of running it."""
    model = WanS2V(DiTConfig.tiny(**SMALL, prediction="sink_difference"))
    given = _inputs(model.config)
    t = torch.full((1, 2), 1000.0)
    with torch.no_grad():
        velocity = model.forward_window(**{**given, "t": t})
        clean = given["x"] - velocity
        text = model.encode_text(given["text_states"])
        sink = model.prefill_sink(given["sink_latent"], text)
        block, _ = model.forward_block(given["x"][:, 0], t[:, 0], given["audio"][:, 0], text, sink)
        whole = model(
            given["x"][:, 0], t[:, 0], given["text_states"], given["sink_latent"],
            given["audio"][:, 0],
        )  # fmt: skip
    wanted = given["sink_latent"][:, None].expand_as(clean)
    torch.testing.assert_close(clean, wanted)
    for made in (block, whole):
        torch.testing.assert_close(made, velocity[:, 0])


def test_a_model_of_velocities_can_be_turned_into_one_of_differences() -> None:
    torch.manual_seed(0)
    model = WanS2V(DiTConfig.tiny(**SMALL, prediction="velocity"))
    torch.nn.init.normal_(model.head.head.weight)
    body = model.patch_embedding.weight.clone()
    given = _inputs(model.config)
    with torch.no_grad():
        before = model.forward_window(**given)
        after = model.predict_sink_difference().forward_window(**given)
    sigma = (given["t"] / 1000.0).view(1, 2, 1, 1, 1, 1)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, (given["x"] - given["sink_latent"][:, None]) / sigma)
    assert model.config.prediction == "sink_difference"
    assert torch.equal(model.patch_embedding.weight, body)


def test_a_configuration_says_which() -> None:
    assert DiTConfig().prediction == "velocity"
    assert DiTConfig.from_dict(DiTConfig.tiny().to_dict()).prediction == "sink_difference"
    with pytest.raises(ModelConfigError, match="prediction: expected velocity or sink_difference"):
        DiTConfig.tiny(prediction="epsilon")
