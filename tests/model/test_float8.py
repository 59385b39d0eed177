"""Heavy matrices in 8 bits: what is stored, what is computed, and how far it is from 16 bits."""

from __future__ import annotations

import pytest
import torch
from support import golden
from torch import Tensor
from torch.testing import assert_close

from avatar_nodes.model.checkpoint import load_served
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.float8 import FLOAT8, Float8Linear, quantised, use_float8
from avatar_nodes.model.lora import LoraFile

DIT = golden.FOLDER / "dit_s2v"


def test_every_row_uses_the_whole_range() -> None:
    torch.manual_seed(0)
    rows = torch.randn(5, 64) * torch.tensor([1e-6, 1.0, 300.0, 1e4, 0.0])[:, None]
    bits, scale = quantised(rows)
    assert bits.dtype == FLOAT8 and scale.shape == (5,)
    assert (bits.float().abs().amax(dim=1)[:4] == 448.0).all() and not bits[4].float().any()
    back = bits.float() * scale[:, None]
    assert ((back - rows).norm(dim=1) <= 0.04 * rows.norm(dim=1)).all()
    assert (back - rows).abs().max() <= rows.abs().max() / 16


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_a_layer_computes_with_what_it_stores(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x, bias = torch.randn(2, 7, 64), torch.randn(48)
    weight, scale = quantised(torch.randn(48, 64) * 0.1)
    out = Float8Linear(weight, scale, bias, dtype)(x)
    seen, seen_scale = quantised(x)
    expected = (seen.float() * seen_scale[..., None]) @ (weight.float() * scale[:, None]).T + bias
    assert out.shape == (2, 7, 48) and out.dtype == dtype
    assert_close(out.float(), expected, atol=0.02, rtol=0.01)  # bfloat16 comes out


def _velocity(model: WanS2V) -> Tensor:
    inputs = golden.load("dit_s2v/inputs_b_motion")
    with torch.inference_mode():
        return model(
            inputs["x"][None], inputs["t"], inputs["context"][None], inputs["ref_latents"],
            inputs["audio_input"], motion_latents=inputs["motion_latents"],
            cond_states=inputs["cond_states"],
        )[0]  # fmt: skip


def _difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).norm() / b.norm())


def test_error_against_float32_and_bfloat16() -> None:
    """Of the golden weights, which are random: worse than trained ones, as rows have no order."""
    expected = golden.load("dit_s2v/output_b_motion")["velocity"]
    half = _velocity(load_served(DIT, dtype=torch.bfloat16))
    eighth = _velocity(load_served(DIT, dtype=torch.bfloat16, float8=True))
    assert 0.001 < _difference(half, expected) < 0.02
    assert 2 * _difference(half, expected) < _difference(eighth, expected) < 0.15


def test_loaded_or_converted_is_the_same() -> None:
    """The LoRA is merged before the weights lose bits."""
    path = golden.FOLDER / "lora/lora_bare_plain.safetensors"
    loaded = load_served(DIT, float8=True, lora=LoraFile(path, scale=0.5))
    model = load_served(DIT, float8=True)
    weight = loaded.blocks[0].ffn[0].weight
    assert not torch.equal(weight.float(), model.blocks[0].ffn[0].weight.float())
    converted = WanS2V(loaded.config)
    source = golden.load("dit_s2v/diffusion_pytorch_model")
    lora = LoraFile(path, scale=0.5)
    converted.load_state_dict({n: lora.merge(n, t.float()) for n, t in source.items()})
    use_float8(converted, torch.float32)
    assert torch.equal(_velocity(converted.serving()), _velocity(loaded))


def test_what_is_held() -> None:
    """All heavy matrices have a byte a number; what is left keeps its format."""
    model = load_served(DIT, dtype=torch.bfloat16, float8=True)
    layers = [m for m in model.modules() if isinstance(m, Float8Linear)]
    assert len(layers) == 4 * (1 + 1 + 4 + 2) + 2 * 4  # q, k, v of self-attention are one
    assert all(layer.weight.dtype == FLOAT8 for layer in layers)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_compiled(small_model: WanS2V) -> None:
    use_float8(small_model, torch.bfloat16)
    model = small_model.serving(torch.bfloat16)
    torch.manual_seed(0)
    text = model.encode_text(torch.randn(1, 5, 16))
    still, x = torch.randn(1, 4, 1, 8, 8), torch.randn(1, 4, 3, 8, 8)
    arguments = (x, torch.tensor([500.0]), torch.randn(1, 1, 6, 17), text)
    with torch.inference_mode():
        expected, _ = model.forward_block(*arguments, model.prefill_sink(still, text))
        model.compile_serving(backend="aot_eager")
        found, _ = model.forward_block(*arguments, model.prefill_sink(still, text))
    assert_close(found, expected, atol=1e-5, rtol=0)
