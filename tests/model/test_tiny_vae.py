"""The tiny autoencoder and its streaming decoder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from avatar_nodes.decoding.decoder import TinyStreamingDecoder
from avatar_nodes.model.checkpoint import CheckpointError
from avatar_nodes.model.tiny_decoder import MemoryBlock, Upsample
from avatar_nodes.model.tiny_vae import TinyVAE, load_vae
from avatar_nodes.model.tiny_vae_config import TinyVAEConfig

SMALL = TinyVAEConfig(
    latent_channels=8, encoder_channels=(16, 16, 16, 32), decoder_channels=(32, 16, 16, 48)
)


def _vae() -> TinyVAE:
    torch.manual_seed(0)
    vae = TinyVAE(SMALL)
    for parameter in vae.parameters():  # branches that start at zero would hide mistakes
        torch.nn.init.normal_(parameter, std=0.05)
    return vae.eval()


def test_shapes_are_four_frames_a_latent_and_a_sixteenth_of_the_side() -> None:
    vae = _vae()
    z = vae.encode(torch.rand(2, 8, 3, 64, 32))
    assert z.shape == (2, 2, 8, 4, 2)
    frames, state = vae.decode(z)
    assert frames.shape == (2, 8, 3, 64, 32)
    assert all([len(one) for one in kept] == [1, 1] for kept in state), "by block and stream"


def test_streams_of_a_batch_do_not_see_each_other() -> None:
    vae = _vae()
    z = torch.randn(3, 4, 8, 2, 2)
    with torch.inference_mode():
        first, state = vae.decode(z[:, :3])
        second, _ = vae.decode(z[:, 3:], state)
        for stream in range(3):
            alone, _ = vae.decode(z[stream : stream + 1])
            together = torch.cat([first[stream], second[stream]])
            torch.testing.assert_close(together, alone[0], rtol=1e-4, atol=1e-5)


def test_a_latent_sees_the_one_before_it_and_an_enlarged_picture_its_own_channels() -> None:
    """The blocks as they are described, a sum for each pixel, beside how they are computed."""
    block = MemoryBlock(4)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x = torch.randn(3, 4, 5, 5)
    before = torch.randn(1, 4, 5, 5)
    silu = torch.nn.functional.silu
    inputs = [torch.cat([a, b]) for a, b in zip(x, [before[0], *x[:-1]], strict=True)]
    expected = x + block.conv2(silu(block.conv1(silu(torch.stack(inputs)))))
    _, kept = block(before, [torch.zeros(1, 4, 5, 5)])
    made, _ = block(x, kept)
    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-5)

    up = Upsample(8, 4)
    large = up.conv(
        torch.nn.functional.interpolate(silu(y := torch.randn(2, 8, 3, 3)), scale_factor=2.0)
    )
    unfolded = torch.nn.functional.pixel_shuffle(y, 2).repeat_interleave(2, dim=1)
    torch.testing.assert_close(up(y), large + unfolded, rtol=1e-4, atol=1e-5)


def test_decoding_in_parts_equals_decoding_at_once() -> None:
    vae = _vae()
    z = torch.randn(1, 6, 8, 2, 2)
    with torch.inference_mode():
        whole, _ = vae.decode(z)
        first, state = vae.decode(z[:, :2])
        second, _ = vae.decode(z[:, 2:], state)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-5)


def test_decoder_remembers_the_latent_before() -> None:
    vae = _vae()
    z = torch.randn(1, 2, 8, 2, 2)
    other = torch.cat([z[:, :1] + 1.0, z[:, 1:]], dim=1)
    with torch.inference_mode():
        a, b = vae.decode(z)[0], vae.decode(other)[0]
    assert not torch.allclose(a[:, 4:], b[:, 4:])


def test_encoding_does_not_depend_on_the_place_in_the_stream() -> None:
    vae = _vae()
    frames = torch.rand(1, 8, 3, 32, 32)
    with torch.inference_mode():
        whole, alone = vae.encode(frames), vae.encode(frames[:, 4:])
    assert torch.allclose(whole[:, 1:], alone, atol=1e-6)


def test_frames_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 4 frames"):
        _vae().encode(torch.rand(1, 3, 3, 32, 32))


def test_streaming_decoder_keeps_and_forgets_the_stream() -> None:
    decoder = TinyStreamingDecoder(_vae())
    latent = torch.randn(8, 3, 2, 2)
    first = decoder.decode(latent)
    assert first.shape == (12, 32, 32, 3) and first.dtype == np.uint8
    assert not np.array_equal(decoder.decode(latent), first)
    decoder.reset()
    assert np.array_equal(decoder.decode(latent), first)


@pytest.mark.parametrize("image", [np.zeros((32, 32), np.uint8), np.zeros((32, 32, 3), np.float32)])
def test_reference_that_is_no_rgb_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        TinyStreamingDecoder(_vae()).encode_reference(image)


def _save(folder: Path) -> Path:
    SMALL.to_json(folder / "config.json")
    save_file(_vae().state_dict(), folder / "diffusion_pytorch_model.safetensors")
    return folder / "diffusion_pytorch_model.safetensors"


def test_saved_weights_load_to_the_same_pictures(tmp_path: Path) -> None:
    _save(tmp_path)
    latent = torch.randn(8, 3, 2, 2)
    pictures = [TinyStreamingDecoder(v).decode(latent) for v in (_vae(), load_vae(tmp_path))]
    assert np.array_equal(*pictures)


def test_missing_tensor_is_named(tmp_path: Path) -> None:
    weights = _save(tmp_path)
    tensors = load_file(weights)
    del tensors["decoder.conv_in.weight"]
    save_file(tensors, weights)
    with pytest.raises(CheckpointError, match=r"decoder\.conv_in\.weight"):
        load_vae(tmp_path)
