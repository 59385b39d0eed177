"""Streams of a decoder that looks at the reference picture, of the latents' size or larger."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from avatar_nodes.block.block import BlockLatent, EpochStart, Sink
from avatar_nodes.decoding.composite import composite
from avatar_nodes.decoding.decoder import TinyStreamingDecoder, reference_sink
from avatar_nodes.decoding.decoder_stage import DecoderStage
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.model.reference_decoder import Painting, put_together
from avatar_nodes.model.tiny_vae import TinyVAE
from avatar_nodes.model.tiny_vae_config import TinyVAEConfig

CONFIG = TinyVAEConfig(
    latent_channels=8, encoder_channels=(16, 16, 16, 32), decoder_channels=(32, 16, 16, 48),
    reference_channels=(8, 8, 16, 16),
)  # fmt: skip
SHAPE = (8, 3, 4, 4)


def _decoder(scale: int = 1, config: TinyVAEConfig = CONFIG) -> TinyStreamingDecoder:
    torch.manual_seed(0)
    vae = TinyVAE(config)
    for parameter in vae.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return TinyStreamingDecoder(vae, scale=scale)


def _picture(side: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def _latent(seed: int = 0) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def _stage(decoder: TinyStreamingDecoder, side: int) -> DecoderStage:
    return DecoderStage(decoder, latent_shape=SHAPE, video_size=(side, side))


def test_a_composite_is_what_training_puts_together() -> None:
    generator = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.interpolate
    picture = smooth(torch.rand(1, 3, 8, 8, generator=generator), size=64, mode="bicubic")
    picture = picture.clamp(0, 1) * 2 - 1
    drawn = torch.rand(1, 4, 3, 64, 64, generator=generator) * 2 - 1
    flow = 0.05 * torch.randn(1, 4, 2, 16, 16, generator=generator)
    mask = torch.rand(1, 4, 1, 64, 64, generator=generator)
    expected = put_together(Painting(drawn, flow, mask), picture)

    def pixels(x: torch.Tensor) -> np.ndarray:
        return x.add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy()

    for n in range(4):
        made = composite(
            pixels(picture[0]), drawn=pixels(drawn[0, n]), flow=flow[0, n].numpy(),
            mask=mask[0, n, 0].numpy(),
        )  # fmt: skip
        difference = np.abs(made.astype(int) - pixels(expected[0, n]))
        assert difference.mean() < 1.0 and difference.max() <= 6


def test_a_larger_picture_is_shown_as_sharp_as_it_is() -> None:
    picture = _picture(128)
    still = {"flow": np.zeros((2, 16, 16), np.float32), "drawn": np.zeros((64, 64, 3), np.uint8)}
    assert np.array_equal(composite(picture, mask=np.ones((64, 64), np.float32), **still), picture)
    nothing = composite(picture, mask=np.zeros((64, 64), np.float32), **still)
    assert not nothing.any()


@pytest.mark.parametrize("scale", [1, 2])
def test_frames_have_the_size_of_the_picture_and_do_not_depend_on_how_a_stream_is_cut(
    scale: int,
) -> None:
    decoder, picture = _decoder(scale), _picture(64 * scale)
    decoder.look_at(picture)
    assert decoder.encode_reference(picture).shape == (8, 1, 4, 4)
    whole = decoder.decode(_latent())
    assert whole.shape == (12, 64 * scale, 64 * scale, 3)
    decoder.reset()
    parts = [decoder.decode(one) for one in _latent().split(1, dim=1)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_a_restarted_decoder_has_the_picture_from_the_epoch() -> None:
    """And not the one that its profile names: another person may have been set since."""
    first = _stage(_decoder(), 64)
    sink = reference_sink(_decoder(), _picture(64, seed=7))
    first.start_epoch(EpochStart(1, 0, 0, sink, (), ()))
    block = BlockLatent(1, 0, 4, _latent())
    own = first.sink_of(block)
    assert own is not None and own.picture is sink.picture
    expected = np.concatenate(list(first.decode(block)))
    decoder = _decoder()
    decoder.look_at(_picture(64, seed=8))  # its profile's
    again = _stage(decoder, 64)
    again.start_epoch(EpochStart(1, 0, 0, sink, (), ()))
    assert np.array_equal(np.concatenate(list(again.decode(block))), expected)


def test_what_cannot_be_shown_is_refused() -> None:
    stage = _stage(_decoder(), 64)
    sink = Sink(0, torch.zeros(8, 1, 4, 4), picture=_picture(32))
    with pytest.raises(RefusedError, match=r"\[32, 32, 3\], expected \[64, 64, 3\]") as error:
        stage.start_epoch(EpochStart(1, 0, 0, sink, (), ()))
    assert error.value.reason == "picture"
    with pytest.raises(ValueError, match="look at one first"):
        _decoder().decode(_latent())
    with pytest.raises(ValueError, match="only a decoder that looks"):
        _decoder(2, replace(CONFIG, reference_channels=()))
