"""Copies between host and device: none on a CPU, no shared memory on a GPU."""

from __future__ import annotations

import pytest
import torch
from support.streams import conditioning, epoch_start, random_tensor

from avatar_nodes.block.schedule import Schedule
from avatar_nodes.decoding.decoder import TinyStreamingDecoder, pixels_of
from avatar_nodes.denoising.stage import Stage
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.host_copies import HostCopies
from avatar_nodes.model.own_stream import OwnStream
from avatar_nodes.model.tiny_vae import TinyVAE
from avatar_nodes.model.tiny_vae_config import TinyVAEConfig

CPU = torch.device("cpu")
needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a GPU that torch can use"
)


def test_a_cpu_copies_nothing() -> None:
    copies, x = HostCopies(CPU), torch.randn(3, 4)
    assert copies.to_device(x) is x
    assert copies.to_host(x) is x
    frames = torch.rand(2, 3, 4, 4)
    assert (pixels_of(frames, copies) == pixels_of(frames)).all()
    with OwnStream(CPU).work():
        assert copies.to_device(x) is x


def test_a_stage_hands_out_what_it_computed(
    served_model: WanS2V, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU the last step's latent itself goes out, and the one that came in goes in."""
    seen: list[torch.Tensor] = []
    advance = Schedule.advance

    def noted(self: Schedule, step: int, x: torch.Tensor, velocity: torch.Tensor) -> torch.Tensor:
        seen.extend((x, advance(self, step, x, velocity)))
        return seen[-1]

    monkeypatch.setattr(Schedule, "advance", noted)
    stage = Stage(served_model, Schedule([1.0, 0.5, 0.0]), [1])
    stage.start_epoch(epoch_start())
    latent = random_tensor(1, stage.latent_shape)
    made = stage.process(conditioning(0), latent)
    assert [x.data_ptr() for x in seen] == [latent.data_ptr(), made.data_ptr()]


@needs_gpu
def test_a_gpu_shares_no_memory_with_what_was_handed_out() -> None:
    device = torch.device("cuda:0")
    copies = HostCopies(device)
    values = [torch.randn(3, 4) for _ in range(4)]
    there = [copies.to_device(x.clone()) for x in values]
    back = [copies.to_host(x) for x in there]
    for value, other in zip(values, back, strict=True):
        assert other.device == CPU and torch.equal(value, other)
    assert len({x.data_ptr() for x in (*there, *back)}) == 8
    part = torch.randn(4, 6).split(2, dim=1)[1]  # not contiguous
    assert torch.equal(copies.to_host(copies.to_device(part)), part)


@needs_gpu
def test_a_decoder_on_a_gpu_keeps_what_it_made() -> None:
    vae = TinyVAE(TinyVAEConfig())
    latents = [torch.randn(vae.config.latent_channels, 3, 4, 4) for _ in range(3)]
    decoder = TinyStreamingDecoder(vae, device="cuda:0")
    kept = [decoder.decode(latent) for latent in latents]
    decoder.reset()
    for frames, latent in zip(kept, latents, strict=True):
        assert (frames == decoder.decode(latent).copy()).all()
    assert (kept[0] != kept[1]).any()
