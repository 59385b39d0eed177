"""The light decoder, from a file as TAEHV publishes it, against the public implementation."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support import golden
from torch import Tensor, nn
from torch.testing import assert_close

from avatar_nodes.model.light_decoder import (
    PUBLISHED_WIDTHS,
    LightDecoder,
    check_light_decoder,
    load_light_decoder,
)
from avatar_nodes.model.tensor_files import CheckpointError

DATA = golden.FOLDER.parent / "taehv"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "taew2_1.pth"
    torch.save(load_file(DATA / "model.safetensors"), path)
    return path


@pytest.fixture
def decoder(file: Path) -> LightDecoder:
    return load_light_decoder(file)


@pytest.fixture(scope="module")
def data() -> dict[str, Tensor]:
    return load_file(DATA / "io.safetensors")


@torch.inference_mode()
def test_frames_are_the_public_ones(decoder: LightDecoder, data: dict[str, Tensor]) -> None:
    frames, _ = decoder.decode(data["latent"])
    assert_close(frames, data["frames"] * 2 - 1, atol=1e-5, rtol=0)
    assert data["frames"].std() > 0.1  # a picture, not a clamp


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("cuts", [[1, 1, 1, 1], [1, 3], [3, 1], [2, 2]], ids=str)
@torch.inference_mode()
def test_pieces_are_the_whole(
    file: Path, data: dict[str, Tensor], cuts: list[int], dtype: torch.dtype
) -> None:
    decoder = load_light_decoder(file, dtype=dtype)
    whole, _ = decoder.decode(data["latent"])
    state = None
    frames = []
    for piece in data["latent"].split(cuts, dim=1):
        made, state = decoder.decode(piece, state)
        frames.append(made)
    assert [made.shape[1] for made in frames] == [4 * n - 3 * (i == 0) for i, n in enumerate(cuts)]
    assert torch.equal(torch.cat(frames, dim=1), whole)


@torch.inference_mode()
def test_a_state_may_be_gone_on_from_twice(decoder: LightDecoder, data: dict[str, Tensor]) -> None:
    first, second, third, _ = data["latent"].split(1, dim=1)
    _, state = decoder.decode(first)
    once, _ = decoder.decode(second, state)
    other, _ = decoder.decode(third, state)
    again, _ = decoder.decode(second, state)
    assert torch.equal(again, once) and not torch.equal(other, once)


@torch.inference_mode()
def test_streams_of_a_batch_do_not_mix(decoder: LightDecoder, data: dict[str, Tensor]) -> None:
    streams = torch.cat([data["latent"], data["latent"].flip(1)])
    frames, state = decoder.decode(streams[:, :2])
    more, _ = decoder.decode(streams[:, 2:], state)
    for index, stream in enumerate(streams):
        alone, _ = decoder.decode(stream[None])
        both = torch.cat([frames[index], more[index]])
        assert_close(both, alone[0], atol=1e-5, rtol=0)


def test_the_published_size() -> None:
    """The file's own shapes: 64 tensors of a decoder of 256, 128, 64, 64 channels."""
    with torch.device("meta"):
        decoder = LightDecoder(PUBLISHED_WIDTHS)
    assert len(decoder.state_dict()) == 64
    assert decoder.levels[0].grow.weight.shape == (256, 256, 1, 1)
    assert decoder.levels[1].grow.weight.shape == (256, 128, 1, 1)
    assert decoder.levels[2].grow.weight.shape == (128, 64, 1, 1)


@torch.inference_mode()
def test_every_convolution_finds_channels_last(
    decoder: LightDecoder, data: dict[str, Tensor]
) -> None:
    """Weights and pictures, so that no layer has to lay out its input anew."""
    seen = 0

    def look(layer: nn.Module, inputs: tuple[Tensor]) -> None:
        nonlocal seen
        seen += 1
        assert inputs[0].is_contiguous(memory_format=torch.channels_last)
        assert layer.weight.is_contiguous(memory_format=torch.channels_last)

    for layer in decoder.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_pre_hook(look)
    decoder.decode(data["latent"])
    assert seen == 4 * (1 + 3 * (3 * 3 + 2) + 1)


def test_every_faulty_tensor_is_named_as_the_file_spells_it(tmp_path: Path) -> None:
    tensors = load_file(DATA / "model.safetensors")
    del tensors["decoder.11.conv.4.bias"], tensors["decoder.13.conv.weight"]
    tensors["decoder.22.bias"] = torch.zeros(12)
    tensors["decoder.23.weight"] = torch.zeros(1)
    torch.save(tensors, tmp_path / "taew2_1.pth")
    for load in (check_light_decoder, load_light_decoder):
        with pytest.raises(CheckpointError) as caught:
            load(tmp_path / "taew2_1.pth")
        message = str(caught.value)
        assert message.startswith(str(tmp_path / "taew2_1.pth")) and "\n" not in message
        assert "missing: decoder.11.conv.4.bias, decoder.13.conv.weight" in message
        assert "unexpected: decoder.23.weight" in message
        assert "decoder.22.bias is [12], expected [3]" in message


def test_other_files(tmp_path: Path) -> None:
    (tmp_path / "broken.pth").write_bytes(b"something")
    torch.save({"weight": torch.zeros(1)}, tmp_path / "other.pth")
    for name in ("absent.pth", "broken.pth", "other.pth"):
        with pytest.raises(CheckpointError, match=name):
            check_light_decoder(tmp_path / name)
