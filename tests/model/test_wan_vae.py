"""Wan's video autoencoder, from its own file, against the public implementation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support import golden
from torch import Tensor
from torch.testing import assert_close

pytest.importorskip("diffusers", reason="needs the packages of requirements/large.txt")

from avatar_nodes.model.tensor_files import CheckpointError
from avatar_nodes.model.wan_folder import VIDEO_VAE
from avatar_nodes.model.wan_vae import WanVAE, check_wan_vae, load_wan_vae


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vae") / VIDEO_VAE
    torch.save(golden.load("vae/model"), path)
    return path


@pytest.fixture(scope="module")
def vae(file: Path) -> WanVAE:
    return load_wan_vae(file)


@pytest.fixture(scope="module")
def data() -> dict[str, Tensor]:
    return golden.load("vae/io")


def _batch(x: Tensor) -> Tensor:
    """[C, F, H, W] -> [1, F, C, H, W]."""
    return x.transpose(0, 1)[None]


def test_constants(vae: WanVAE, data: dict[str, Tensor]) -> None:
    assert_close(torch.tensor(vae.network.config.latents_mean), data["latents_mean"])
    assert_close(torch.tensor(vae.network.config.latents_std), data["latents_std"])


@torch.inference_mode()
def test_encode(vae: WanVAE, data: dict[str, Tensor]) -> None:
    assert_close(vae.encode(_batch(data["video"])), _batch(data["latent"]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("cuts", [[3], [1, 1, 1], [1, 2], [2, 1]], ids=str)
@pytest.mark.parametrize("name", ["latent", "latent_random"])
@torch.inference_mode()
def test_decode_in_any_pieces(
    vae: WanVAE, data: dict[str, Tensor], name: str, cuts: list[int]
) -> None:
    expected = data["decoded_unclamped" if name == "latent" else "decoded_random_unclamped"]
    whole, _ = vae.decode(_batch(data[name]))
    state = None
    frames = []
    for piece in _batch(data[name]).split(cuts, dim=1):
        made, state = vae.decode(piece, state)
        frames.append(made)
    assert [len(made[0]) for made in frames] == [4 * n - 3 * (i == 0) for i, n in enumerate(cuts)]
    assert_close(torch.cat(frames, dim=1), _batch(expected), atol=5e-5, rtol=0)
    assert torch.equal(torch.cat(frames, dim=1), whole)


@torch.inference_mode()
def test_diffusers_own_decoding_is_the_same(vae: WanVAE, data: dict[str, Tensor]) -> None:
    z = data["latent"][None] * data["latents_std"].view(16, 1, 1, 1)
    whole = vae.network.decode(z + data["latents_mean"].view(16, 1, 1, 1)).sample
    assert_close(whole, data["decoded"][None], atol=5e-5, rtol=0)
    mine, _ = vae.decode(_batch(data["latent"]))
    assert_close(mine.clamp(-1, 1), whole.transpose(1, 2), atol=1e-6, rtol=0)


@torch.inference_mode()
def test_a_state_may_be_gone_on_from_twice(vae: WanVAE, data: dict[str, Tensor]) -> None:
    first, second, third = _batch(data["latent_random"]).split(1, dim=1)
    _, state = vae.decode(first)
    once, _ = vae.decode(second, state)
    vae.decode(third, state)
    again, _ = vae.decode(second, state)
    assert torch.equal(again, once)


@torch.inference_mode()
def test_one_picture(vae: WanVAE, data: dict[str, Tensor]) -> None:
    """Causal: the first frame alone has the first latent, which alone is the first frame."""
    latent = vae.encode(_batch(data["video"])[:, :1])
    assert_close(latent, _batch(data["latent"])[:, :1], atol=1e-5, rtol=0)
    frame, _ = vae.decode(_batch(data["latent"])[:, :1])
    assert_close(frame, _batch(data["decoded_unclamped"])[:, :1], atol=5e-5, rtol=0)


def test_videos_of_another_size(vae: WanVAE) -> None:
    for shape in ((1, 4, 3, 16, 16), (1, 1, 3, 16, 12)):
        with pytest.raises(ValueError, match="need 1 \\+ 4k frames"):
            vae.encode(torch.zeros(shape))


def test_every_faulty_tensor_is_named_as_the_file_spells_it(tmp_path: Path) -> None:
    tensors = golden.load("vae/model")
    del tensors["decoder.upsamples.7.time_conv.bias"], tensors["encoder.middle.1.norm.gamma"]
    tensors["conv2.bias"] = torch.zeros(3)
    tensors["loss.weight"] = torch.zeros(1)
    torch.save(tensors, tmp_path / VIDEO_VAE)
    for load in (check_wan_vae, load_wan_vae):
        with pytest.raises(CheckpointError) as caught:
            load(tmp_path / VIDEO_VAE)
        message = str(caught.value)
        assert message.startswith(str(tmp_path / VIDEO_VAE)) and "\n" not in message
        assert "missing: decoder.upsamples.7.time_conv.bias, encoder.middle.1.norm.gamma" in message
        assert "unexpected: loss.weight" in message
        assert "conv2.bias is [3], expected [16]" in message


def test_no_such_file(tmp_path: Path) -> None:
    (tmp_path / "other.pth").write_bytes(b"something")
    for name in ("absent.pth", "other.pth"):
        with pytest.raises(CheckpointError, match=name):
            check_wan_vae(tmp_path / name)
