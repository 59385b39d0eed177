"""Wan's autoencoder as a stream's decoder: block by block what it makes of the whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support import golden

pytest.importorskip("diffusers", reason="needs the packages of requirements/large.txt")

from avatar_nodes.block.block import BlockContext, BlockLatent, EpochStart, Sink
from avatar_nodes.decoding.decoder_stage import DecoderStage
from avatar_nodes.decoding.wan_decoder import WanStreamingDecoder
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.model.light_decoder import load_light_decoder
from avatar_nodes.model.wan_vae import WanVAE, load_wan_vae

SHAPE = (16, 3, 4, 6)
VIDEO = (32, 48)


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> WanVAE:
    path = tmp_path_factory.mktemp("vae") / "Wan2.1_VAE.pth"
    torch.save(golden.load("vae/model"), path)
    return load_wan_vae(path)


@pytest.fixture
def latents() -> torch.Tensor:
    """The reference's latent and two blocks after it, [C, 7, h, w]."""
    torch.manual_seed(2)
    return torch.randn(16, 7, 4, 6)


def _start(latents: torch.Tensor, epoch: int = 1, blocks: int = 0) -> EpochStart:
    context = tuple(
        BlockContext(n, "", torch.zeros(0), latents[:, 1 + 3 * n : 4 + 3 * n])
        for n in range(blocks)
    )
    return EpochStart(epoch, blocks, 0, Sink(0, latents[:, :1]), (), context)


def _decoded(stage: DecoderStage, latents: torch.Tensor, block: int, epoch: int = 1) -> np.ndarray:
    latent = latents[:, 1 + 3 * block : 4 + 3 * block]
    return np.concatenate(list(stage.decode(BlockLatent(epoch, block, 4, latent))))


@torch.inference_mode()
def test_blocks_are_parts_of_the_whole_decoding(vae: WanVAE, latents: torch.Tensor) -> None:
    video = vae.network.decode(
        latents[None] * torch.tensor(vae.network.config.latents_std).view(16, 1, 1, 1)
        + torch.tensor(vae.network.config.latents_mean).view(16, 1, 1, 1)
    ).sample[0]
    expected = ((video + 1) * 127.5).round().permute(1, 2, 3, 0).numpy().astype(np.uint8)
    stage = DecoderStage(WanStreamingDecoder(vae), latent_shape=SHAPE, video_size=VIDEO)
    stage.start_epoch(_start(latents))
    frames = np.concatenate([_decoded(stage, latents, block) for block in (0, 1)])
    assert frames.shape == (24, 32, 48, 3)
    assert np.array_equal(frames, expected[1:])


def test_a_new_epoch_goes_on_where_the_context_ends(vae: WanVAE, latents: torch.Tensor) -> None:
    stage = DecoderStage(WanStreamingDecoder(vae), latent_shape=SHAPE, video_size=VIDEO)
    stage.start_epoch(_start(latents))
    expected = [_decoded(stage, latents, block) for block in (0, 1)][1]
    again = DecoderStage(WanStreamingDecoder(vae), latent_shape=SHAPE, video_size=VIDEO)
    again.start_epoch(_start(latents, epoch=2, blocks=1))
    assert np.array_equal(_decoded(again, latents, 1, epoch=2), expected)


def test_a_stream_begins_with_a_sink(vae: WanVAE, latents: torch.Tensor) -> None:
    stage = DecoderStage(WanStreamingDecoder(vae), latent_shape=SHAPE, video_size=VIDEO)
    with pytest.raises(RefusedError, match="begins with a sink") as caught:
        stage.start_epoch(EpochStart(1, 0, 0, None))
    assert caught.value.reason == "sink"


def test_reference_picture(vae: WanVAE) -> None:
    video = golden.load("vae/io")["video"]
    pixels = ((video[:, 0] + 1) * 127.5).round().permute(1, 2, 0).numpy().astype(np.uint8)
    decoder = WanStreamingDecoder(vae)
    latent = decoder.encode_reference(pixels)
    assert latent.shape == (16, 1, 4, 6) and latent.dtype == torch.float32
    exact = torch.from_numpy(pixels).permute(2, 0, 1)[None, None] / 127.5 - 1
    with torch.inference_mode():
        assert torch.equal(latent, vae.encode(exact)[0].transpose(0, 1))


def test_which_latent_of_a_still_is_the_sink(vae: WanVAE) -> None:
    """The public single-GPU pipeline takes the second of five frames, the one on several the
    picture alone."""
    pixels = np.random.default_rng(1).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    still = torch.from_numpy(pixels).permute(2, 0, 1)[None, None] / 127.5 - 1
    with torch.inference_mode():
        five = vae.encode(still.expand(-1, 5, -1, -1, -1))[0].transpose(0, 1)
        many = vae.encode(still.expand(-1, 73, -1, -1, -1))[0].transpose(0, 1)
    for has_motion in (False, True):
        for place, name in enumerate(("first", "second")):
            sink = WanStreamingDecoder(
                vae, motion_tokens=has_motion, reference_latent=name
            ).encode_reference(pixels)  # fmt: skip
            assert sink.shape[1] == (20 if has_motion else 1)
            assert torch.equal(sink[:, 0], five[:, place])
            assert not has_motion or torch.equal(sink[:, 1:], many)


@torch.inference_mode()
def test_a_stream_that_begins_with_a_still(vae: WanVAE, latents: torch.Tensor) -> None:
    """Seven latents of the still, then the blocks; three frames are dropped, and the next stands in
    their place, so that each frame keeps its sound."""
    pixels = np.random.default_rng(1).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    decoder = WanStreamingDecoder(vae, motion_tokens=True, decoder_start="still")
    stage = DecoderStage(decoder, latent_shape=SHAPE, video_size=VIDEO)
    start = replace(_start(latents), sink=Sink(0, decoder.encode_reference(pixels)))
    stage.start_epoch(start)
    own = stage.sink_of(BlockLatent(1, 0, 4, latents[:, 1:4]))
    assert own is not None and start.sink is not None
    assert torch.equal(own.latent[:, :1], latents[:, 1:2])
    assert torch.equal(own.latent[:, 1:], start.sink.latent[:, 1:])
    frames = np.concatenate([_decoded(stage, latents, block) for block in (0, 1)])
    plain = WanStreamingDecoder(vae)
    plain.decode(start.sink.latent[:, 1:8])
    expected = plain.decode(latents[:, 1:])
    assert np.array_equal(frames[3:], expected[3:])
    assert (frames[:3] == expected[3]).all()
    again = replace(_start(latents, epoch=2, blocks=1), sink=own)
    stage.start_epoch(again)
    assert np.array_equal(_decoded(stage, latents, 1, epoch=2), expected[12:])
    with pytest.raises(RefusedError, match="sink"):
        stage.start_epoch(_start(latents, epoch=3))
    with pytest.raises(ValueError, match="needs motion_tokens"):
        WanStreamingDecoder(vae, decoder_start="still")


def test_half_precision_shows_the_same(vae: WanVAE, latents: torch.Tensor, tmp_path: Path) -> None:
    torch.save(golden.load("vae/model"), tmp_path / "vae.pth")
    half = WanStreamingDecoder(load_wan_vae(tmp_path / "vae.pth", dtype=torch.bfloat16))
    whole = WanStreamingDecoder(vae)
    frames = whole.decode(latents).astype(int)
    assert np.abs(half.decode(latents).astype(int) - frames).mean() < 4


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> WanStreamingDecoder:
    """A light decoder beside what is left of the autoencoder."""
    folder = tmp_path_factory.mktemp("light")
    torch.save(golden.load("vae/model"), folder / "Wan2.1_VAE.pth")
    encoder = load_wan_vae(folder / "Wan2.1_VAE.pth", decodes=False)
    names = [name for name, _ in encoder.network.named_parameters()]
    assert names and not [n for n in names if n.startswith(("decoder", "post_quant_conv"))]
    file = golden.FOLDER.parent / "taehv/model.safetensors"
    return WanStreamingDecoder(encoder, load_light_decoder(file))


def test_a_light_decoder_shows_what_it_makes_of_the_whole(light: WanStreamingDecoder) -> None:
    data = load_file(golden.FOLDER.parent / "taehv/io.safetensors")
    latents = data["latent"][0].transpose(0, 1)  # the reference's, and a block
    stage = DecoderStage(light, latent_shape=SHAPE, video_size=VIDEO)
    stage.start_epoch(_start(latents))
    frames = _decoded(stage, latents, 0)
    expected = (data["frames"][0, 1:] * 255).round().permute(0, 2, 3, 1).numpy()
    assert frames.shape == (12, 32, 48, 3)
    assert np.abs(frames - expected).max() <= 1 and (frames == expected).mean() > 0.999
    stage.start_epoch(_start(latents, epoch=2))
    assert np.array_equal(_decoded(stage, latents, 0, epoch=2), frames)


def test_the_autoencoder_encodes_for_a_light_decoder(
    light: WanStreamingDecoder, vae: WanVAE
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    expected = WanStreamingDecoder(vae).encode_reference(pixels)
    assert torch.equal(light.encode_reference(pixels), expected)


def test_latents_of_another_kind_are_refused(vae: WanVAE) -> None:
    decoder = WanStreamingDecoder(vae)
    for shape in ((15, 1, 4, 6), (16, 4, 6)):
        with pytest.raises(ValueError, match=r"expected \[16, F, h, w\]"):
            decoder.decode(torch.zeros(shape))
    with pytest.raises(ValueError, match="expected uint8"):
        decoder.encode_reference(np.zeros((32, 32, 4), np.uint8))
