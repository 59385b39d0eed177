"""The cost of a pass, against what torch counts while one is made."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from avatar_nodes.model.attention_kernels import only_attention
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.float8 import use_float8
from avatar_nodes.model.pass_cost import decode_flop, pass_cost

SMALL = DiTConfig(
    dim=64, num_heads=2, ffn_dim=96, num_layers=3, text_dim=32, text_len=16, audio_dim=16,
    audio_inject_layers=(0, 2), past_blocks=2, latent_shape=(16, 8, 12),
)  # fmt: skip


@pytest.mark.parametrize("motion", [0, 19])
@torch.inference_mode()
def test_operations_are_those_that_torch_counts(motion: int) -> None:
    model = WanS2V(SMALL).serving()
    sound = model.encode_audio(torch.randn(1, *SMALL.audio_shape))
    text = model.encode_text(torch.randn(1, 5, SMALL.text_dim))
    sink = model.prefill_sink(torch.randn(1, 16, 1 + motion, 8, 12), text)
    x, t = torch.randn(1, *SMALL.block_shape), torch.tensor([500.0])
    past = []
    for _ in range(SMALL.past_blocks):
        past.append(model.forward_block(x, t, sound, text, sink, tuple(past))[1])
    with only_attention("plain"), FlopCounterMode(display=False) as counter:
        model.forward_block(x, t, sound, text, sink, tuple(past))
    cost = pass_cost(SMALL, has_motion=motion > 0)
    counts = {str(name): count for name, count in counter.get_flop_counts()["Global"].items()}
    attention = sum(count for name, count in counts.items() if "bmm" in name)
    assert cost.attention == attention
    assert cost.matrices == sum(counts.values()) - attention


def test_a_layer_has_the_bytes_that_are_loaded() -> None:
    for float8, size in ((False, 2), (True, 1)):
        with torch.device("meta"):
            model = WanS2V(SMALL)
        if float8:
            use_float8(model, torch.bfloat16)
        layer = model.serving(torch.bfloat16).layers[0]
        matrices = [tensor for tensor in layer.state_dict().values() if tensor.ndim == 2]
        heavy = sum(t.nbytes for t in matrices if t.element_size() == size and t.shape[0] > 1)
        assert pass_cost(SMALL, float8=float8).layer == heavy


def test_the_published_model() -> None:
    """The figures of docs/weights.md."""
    cost = pass_cost(DiTConfig(), has_motion=True)
    assert (cost.matrices + cost.attention) / 1e12 == pytest.approx(121, abs=0.5)
    assert pass_cost(DiTConfig(), float8=True).layer / 1e6 == pytest.approx(352, abs=1)
    assert decode_flop(704, 384, 12, light=False) == 27.5e12
    assert decode_flop(352, 384, 12, light=True) == 1.07e12 / 2
