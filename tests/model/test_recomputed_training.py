"""Layers that are computed again in the backward pass: the same gradients, less kept for them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig

CONFIG = DiTConfig.tiny(
    dim=32, num_heads=2, num_layers=4, ffn_dim=64, freq_dim=32, text_dim=16, in_dim=8, out_dim=8,
    audio_inject_layers=(0, 2), latent_shape=(8, 8, 8),
)  # fmt: skip


def _gradients(which: str, *, recompute: bool) -> tuple[dict[str, Tensor], int]:
    """Gradients of a pass by name, and the bytes that it kept for them."""
    torch.manual_seed(0)
    model = WanS2V(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    if recompute:
        model.recompute_training()
    x, sound = torch.randn(1, 2, 8, 3, 8, 8), torch.randn(1, 2, 1, 160, 17)
    states, sink = torch.randn(1, 5, 16), torch.randn(1, 8, 1, 8, 8)
    index = torch.zeros(1, 2, dtype=torch.long)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        if which == "window":
            t = torch.full((1, 2), 500.0)
            made = model.forward_window(x, t, sound, states, sink, prompt_index=index)
        elif which == "block":
            text = model.encode_text(states)
            seen = model.prefill_sink(sink, text)
            made, _ = model.forward_block(x[:, 0], torch.full((1,), 500.0), sound[:, 0], text, seen)
        else:
            own = sound[:, 0].repeat(1, 1, 1, 2)[..., :24]
            made = model(
                x.transpose(1, 2).flatten(2, 3), torch.full((1,), 500.0), states, sink, own
            )
    made.square().mean().backward()
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}, sum(
        kept.values()
    )


@pytest.mark.parametrize("which", ["window", "block", "whole"])
def test_the_same_gradients_from_less_that_is_kept(which: str) -> None:
    plain, all_kept = _gradients(which, recompute=False)
    again, less_kept = _gradients(which, recompute=True)
    assert plain.keys() == again.keys() and any("blocks.3.ffn" in name for name in plain)
    assert all(torch.equal(plain[name], again[name]) for name in plain)
    assert less_kept < 0.6 * all_kept
