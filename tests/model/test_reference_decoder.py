"""The decoder that looks at the reference picture: what it warps, draws, and keeps of a stream."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from avatar_nodes.model.reference_decoder import Painting, put_together, warp
from avatar_nodes.model.tiny_vae import TinyVAE, load_vae
from avatar_nodes.model.tiny_vae_config import TinyVAEConfig

SMALL = TinyVAEConfig(
    latent_channels=8, encoder_channels=(16, 16, 16, 32), decoder_channels=(32, 16, 16, 48),
    reference_channels=(8, 8, 16, 16),
)  # fmt: skip


def _vae(config: TinyVAEConfig = SMALL) -> TinyVAE:
    torch.manual_seed(0)
    vae = TinyVAE(config)
    for parameter in vae.parameters():  # branches that start at zero would hide mistakes
        torch.nn.init.normal_(parameter, std=0.05)
    return vae.eval()


def _pictures(count: int = 1, height: int = 64, width: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 3, height, width, generator=generator) * 2 - 1


def test_flow_says_where_in_the_picture_a_pixel_comes_from() -> None:
    picture = _pictures(height=32, width=64)
    flow = torch.zeros(1, 2, 8, 16)
    assert torch.allclose(warp(picture, flow), picture, atol=1e-5)
    flow[:, 0], flow[:, 1] = 4 / 64, -2 / 32  # four pixels to the right, two above
    moved = warp(picture, flow)
    assert torch.allclose(moved[..., 2:, :-4], picture[..., :-2, 4:], atol=1e-4)
    assert torch.allclose(moved[..., 2:, -1], picture[..., :-2, -1], atol=1e-4), "the edge goes on"


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_mask_is_the_share_of_the_warped_picture(share: float) -> None:
    drawn, picture = torch.full((1, 4, 3, 32, 32), -0.5), torch.full((1, 3, 32, 32), 0.5)
    mask = torch.full((1, 4, 1, 32, 32), share)
    frames = put_together(Painting(drawn, torch.zeros(1, 4, 2, 8, 8), mask), picture)
    assert torch.allclose(frames, torch.full_like(frames, -0.5 + share), atol=1e-6)


def test_paintings_have_four_frames_a_latent() -> None:
    vae = _vae()
    painting, state = vae.paint(torch.randn(2, 3, 8, 4, 2), vae.look_at(_pictures(2)))
    assert painting.drawn.shape == (2, 12, 3, 64, 32)
    assert painting.flow.shape == (2, 12, 2, 16, 8)
    assert painting.mask.shape == (2, 12, 1, 64, 32)
    assert 0.0 < painting.mask.min() < painting.mask.max() < 1.0
    assert all([len(one) for one in kept] == [1, 1] for kept in state), "by block and stream"


@torch.inference_mode()
def test_a_stream_is_the_same_cut_anywhere_and_sees_no_other_person() -> None:
    vae, pictures, z = _vae(), _pictures(3), torch.randn(3, 4, 8, 4, 2)
    first, state = vae.decode(z[:, :3], pictures=pictures)
    second, _ = vae.decode(z[:, 3:], state, pictures=pictures)
    for person in range(3):
        alone, _ = vae.decode(z[person : person + 1], pictures=pictures[person : person + 1])
        together = torch.cat([first[person], second[person]])
        torch.testing.assert_close(together, alone[0], rtol=1e-4, atol=1e-4)
    others, _ = vae.decode(z[:, :3], pictures=pictures.roll(1, dims=0))
    assert (others - first).abs().mean() > 0.01


@torch.inference_mode()
def test_what_is_drawn_is_the_latents_alone_whoever_is_in_the_picture() -> None:
    vae, z = _vae(), torch.randn(1, 2, 8, 4, 2)
    one, _ = vae.paint(z, vae.look_at(_pictures()))
    other, _ = vae.paint(z, vae.look_at(-_pictures()))
    assert torch.equal(one.drawn, other.drawn)
    assert not torch.equal(one.flow, other.flow) and not torch.equal(one.mask, other.mask)


def test_every_weight_learns() -> None:
    vae = _vae()
    frames, _ = vae.decode(torch.randn(1, 2, 8, 4, 2), pictures=_pictures())
    frames.square().sum().backward()
    silent = [
        name for name, p in vae.decoder.named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert not silent


def test_it_begins_as_half_of_the_picture_and_half_of_what_was_drawn_before() -> None:
    """Nothing that decides of the picture is random, so that training starts from what is there."""
    torch.manual_seed(0)
    plain = TinyVAE(replace(SMALL, reference_channels=())).eval()
    looking = TinyVAE(SMALL).eval()
    looking.load_state_dict({**looking.state_dict(), **plain.state_dict()})
    z, pictures = torch.randn(1, 1, 8, 4, 2), _pictures()
    with torch.inference_mode():
        drawn, _ = plain.decode(z)
        frames, _ = looking.decode(z, pictures=pictures)
    torch.testing.assert_close(frames, (drawn + pictures[:, None]) / 2, rtol=1e-4, atol=1e-4)


def test_it_is_read_as_it_was_written_and_refuses_to_be_used_blind(tmp_path: Path) -> None:
    vae = _vae()
    vae.config.to_json(tmp_path / "config.json")
    save_file(vae.state_dict(), tmp_path / "diffusion_pytorch_model.safetensors")
    read = load_vae(tmp_path)
    assert read.config == SMALL and read.looks_at_reference
    z = torch.randn(1, 1, 8, 4, 2)
    with pytest.raises(ValueError, match="needs the reference pictures"):
        read.decode(z)
    plain = _vae(replace(SMALL, reference_channels=()))
    with pytest.raises(TypeError, match="does not look at"):
        plain.look_at(_pictures())
    with pytest.raises(ValueError, match="expected 4 of them"):
        TinyVAE(replace(SMALL, reference_channels=(8, 8)))
