"""Motion context in a stream: the public frame packer's tokens, and the masked pass over all."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from support import golden
from torch import Tensor
from torch.testing import assert_close

from avatar_nodes.denoising.seen_places import SeenPlaces
from avatar_nodes.model import bidirectional, causal
from avatar_nodes.model.attention import LayerKV
from avatar_nodes.model.block import WanBlock
from avatar_nodes.model.causal import Places, SinkInput
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.frame_packer import motion_positions, motion_tokens
from avatar_nodes.model.kv import BlockKV
from avatar_nodes.model.rope import rope_table

NOISY = 288
"""Tokens of the golden case before its conditioning tokens."""
BLOCKS = 3


@pytest.fixture(scope="module")
def inputs() -> dict[str, Tensor]:
    return golden.load("dit_s2v/inputs_b_motion")


@pytest.fixture(scope="module")
def sink(inputs: dict[str, Tensor]) -> Tensor:
    """The reference's latent and motion context, [1, 16, 1 + 19, 16, 24]."""
    return torch.cat([inputs["ref_latents"], inputs["motion_latents"]], dim=2)


@torch.no_grad()
def test_a_sink_is_the_public_conditioning_tokens(
    reference_model: WanS2V, inputs: dict[str, Tensor], sink: Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    entered: list[SinkInput] = []

    def watched(block: WanBlock, entering: SinkInput) -> tuple[Tensor, LayerKV]:
        entered.append(entering)
        return causal.sink_layer(block, entering)

    monkeypatch.setattr(reference_model, "sink_layer", watched)
    made = reference_model.prefill_sink(sink, reference_model.encode_text(inputs["context"][None]))
    taps = golden.load("dit_s2v/taps_b_motion")
    assert_close(entered[0].x, taps["tokens_in"][:, NOISY:], atol=1e-5, rtol=0)
    assert_close(entered[0].rope, rope_table(taps["rope_pos"][NOISY:], 32), atol=1e-6, rtol=0)
    assert_close(entered[0].time_rows.transpose(0, 1), taps["time_e0"][0, :, 1:], atol=1e-5, rtol=0)
    assert made.has_motion and torch.equal(made.latent, inputs["ref_latents"])
    assert all(kv.k.shape[1] == 96 + motion_tokens(8, 12) for kv in made.layers)


@pytest.mark.parametrize("grid", [(8, 12), (6, 10), (24, 44)])
def test_as_many_positions_as_tokens(grid: tuple[int, int]) -> None:
    assert len(motion_positions(*grid)) == motion_tokens(*grid)


def test_the_published_size() -> None:
    """704x384: 2640 conditioning tokens, of which the reference has 1056."""
    assert 24 * 44 + motion_tokens(24, 44) == 2640


@torch.no_grad()
def test_blocks_equal_a_masked_pass_over_the_whole_sequence(
    reference_model: WanS2V, inputs: dict[str, Tensor], sink: Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """With nothing that rolls, positions may as well be absolute."""
    model = reference_model
    torch.manual_seed(0)
    x = torch.randn(1, 16, 3 * BLOCKS, 16, 24)
    audio = torch.randn(1, 25, 32, 5 + 12 * BLOCKS)
    t, context = torch.tensor([602.2]), inputs["context"][None]
    rule = SeenPlaces(farthest=30, latents_per_block=3, rolling=False)
    text = model.encode_text(context)
    prefilled, made = model.prefill_sink(sink, text), []
    past: list[BlockKV] = []
    for n in range(BLOCKS):
        block, columns = x[:, :, 3 * n : 3 * n + 3], audio[..., 12 * n : 12 * n + 17]
        rope = model.key_rope(block, n, rule.at(0, n, 0), motion=True)
        velocity, kv = model.forward_block(
            block, t, columns, text, prefilled, tuple(past), key_rope=rope
        )
        made.append(velocity)
        past.append(kv)

    of = torch.arange(BLOCKS).repeat_interleave(3 * 96)  # the block of each noisy token

    def masked(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        noisy = len(of)
        mask = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool)
        mask[:noisy, :noisy] = of[:, None] >= of[None]
        mask[noisy:, :noisy] = False
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)

    monkeypatch.setattr(bidirectional, "attend", masked)
    expected = model(
        x, t, context, sink[:, :, :1], audio, motion_latents=sink[:, :, 1:], cond_states=None
    )
    assert_close(torch.cat(made, dim=2), expected, atol=2e-5, rtol=0)


@torch.no_grad()
def test_context_is_behind_the_stream(
    reference_model: WanS2V, inputs: dict[str, Tensor], sink: Tensor
) -> None:
    """It never rolls: each block sees it farther off, and a sink without it is another sink."""
    model, x = reference_model, inputs["x"][None]
    text = model.encode_text(inputs["context"][None])
    prefilled = model.prefill_sink(sink, text)
    audio = torch.cat([inputs["audio_input"][..., :5], inputs["audio_input"]], dim=-1)

    def velocity(passed: int) -> Tensor:
        rope = model.key_rope(x, 0, Places(30, passed), motion=True)
        return model.forward_block(x, inputs["t"], audio, text, prefilled, key_rope=rope)[0]

    first, _ = model.forward_block(x, inputs["t"], audio, text, prefilled)
    assert torch.equal(velocity(0), first)
    alone = model.forward_block(
        x, inputs["t"], audio, text, model.prefill_sink(sink[:, :, :1], text)
    )[0]
    for other in (velocity(3), velocity(3000), alone):
        assert (other - first).abs().max() > 1e-3
