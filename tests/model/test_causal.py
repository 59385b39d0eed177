"""Block-wise operation: equal however it is cut, and to a masked pass over the whole sequence."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.model.attention import LayerKV
from avatar_nodes.model.causal import Places
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.kv import BlockKV
from avatar_nodes.model.rope import grid_positions, rope_table, rotate

BLOCKS, FRAME_TOKENS = 5, 16


class _Clip:
    """Random inputs of two streams of five blocks, three prompts among them."""

    def __init__(self, config: DiTConfig) -> None:
        torch.manual_seed(3)
        self.x = torch.randn(2, BLOCKS, config.in_dim, config.timing.latents_per_block, 8, 8)
        self.t = torch.rand(2, BLOCKS) * 1000
        self.audio = torch.randn(2, BLOCKS, *config.audio_shape)
        self.prompts = torch.randn(3, 5, config.text_dim)
        self.index = torch.tensor([[0, 0, 1, 1, 2], [2, 1, 1, 0, 0]])
        self.sink = torch.randn(2, config.in_dim, 1, 8, 8)


@pytest.fixture
def clip(small_model: WanS2V) -> _Clip:
    return _Clip(small_model.config)


@torch.no_grad()
def _block_by_block(model: WanS2V, clip: _Clip) -> Tensor:
    text = model.encode_text(clip.prompts)
    sink = model.prefill_sink(clip.sink, text.select(clip.index[:, 0]))
    past: list[BlockKV] = []
    outputs = []
    for n in range(BLOCKS):
        arguments = (clip.x[:, n], clip.t[:, n], clip.audio[:, n])
        prompt = text.select(clip.index[:, n])
        velocity, kv = model.forward_block(*arguments, prompt, sink, past)
        past = [*past, kv][-2:]
        outputs.append(velocity)
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize(
    "small_model", [{"timing": BlockTiming(latents_per_block=n)} for n in (1, 2)], indirect=True
)
def test_blocks_of_fewer_latents(small_model: WanS2V, clip: _Clip) -> None:
    """Positions and window follow the timing of the configuration."""
    assert clip.x.shape[3] == small_model.config.timing.latents_per_block
    velocity = small_model.forward_window(
        clip.x, clip.t, clip.audio, clip.prompts, clip.sink, prompt_index=clip.index
    )
    assert_close(velocity, _block_by_block(small_model, clip), atol=1e-5, rtol=0)


def test_window_equals_block_after_block(small_model: WanS2V, clip: _Clip) -> None:
    expected = _block_by_block(small_model, clip)
    for blocks in (1, 2, 3, BLOCKS):
        velocity = small_model.forward_window(
            clip.x[:, :blocks], clip.t[:, :blocks], clip.audio[:, :blocks], clip.prompts, clip.sink,
            prompt_index=clip.index[:, :blocks],
        )  # fmt: skip
        assert_close(velocity, expected[:, :blocks], atol=1e-5, rtol=0)


@torch.no_grad()
def test_keys_and_values_alone_are_the_same_bits(small_model: WanS2V, clip: _Clip) -> None:
    model = small_model.serving()
    text = model.encode_text(clip.prompts[:1])
    sink = model.prefill_sink(clip.sink[:1], text)
    past: list[BlockKV] = []
    for n in range(3):
        x, t, sound = clip.x[:1, n], clip.t[:1, n], model.encode_audio(clip.audio[:1, n])
        rope = model.key_rope(x, len(past), Places(20), motion=False)
        _, expected = model.forward_block(x, t, sound, text, sink, past, key_rope=rope)
        kv = model.block_keys_values(x, t, sound, text, sink, past, key_rope=rope)
        for mine, other in zip(kv.layers, expected.layers, strict=True):
            assert torch.equal(mine.k, other.k) and torch.equal(mine.v, other.v)
        past.append(kv)


@torch.no_grad()
def test_keys_and_values_may_replace_those_of_the_oldest_block(
    small_model: WanS2V, clip: _Clip
) -> None:
    """It is read before it is overwritten, layer by layer."""
    model = small_model.serving()
    text = model.encode_text(clip.prompts[:1])
    sink = model.prefill_sink(clip.sink[:1], text)
    past: list[BlockKV] = []
    for n in range(BLOCKS):
        arguments = clip.x[:1, n], clip.t[:1, n], model.encode_audio(clip.audio[:1, n]), text, sink
        expected, kv = model.forward_block(*arguments, past)
        alone = model.block_keys_values(*arguments, _copied(past), room=None)
        if len(past) == 2:
            for method in (model.forward_block, model.block_keys_values):
                taken = _copied(past)
                made = method(*arguments, taken, room=taken[0])
                if isinstance(made, tuple):
                    assert torch.equal(made[0], expected)
                    made = made[1]
                assert made is taken[0]
                for mine, other in zip(made.layers, alone.layers, strict=True):
                    assert torch.equal(mine.k, other.k) and torch.equal(mine.v, other.v)
        past = [*past, kv][-2:]


def _copied(past: list[BlockKV]) -> list[BlockKV]:
    return [
        BlockKV(tuple(LayerKV(kv.k.clone(), kv.v.clone()) for kv in block.layers)) for block in past
    ]


@torch.no_grad()
def test_a_sink_keeps_no_more_than_its_keys_and_values(small_model: WanS2V, clip: _Clip) -> None:
    model = small_model.serving()
    sink = model.prefill_sink(clip.sink[:1], model.encode_text(clip.prompts[:1]))
    for kv in sink.layers:
        assert all(part.untyped_storage().nbytes() == part.nbytes for part in kv)


def test_states_of_each_block_equal_a_prompt_table(small_model: WanS2V, clip: _Clip) -> None:
    arguments = (clip.x, clip.t, clip.audio)
    table = small_model.forward_window(*arguments, clip.prompts, clip.sink, prompt_index=clip.index)
    each = small_model.forward_window(*arguments, clip.prompts[clip.index], clip.sink)
    assert_close(each, table, atol=1e-5, rtol=0)


def test_serving_form_computes_the_same(small_model: WanS2V, clip: _Clip) -> None:
    expected = _block_by_block(small_model, clip)
    assert_close(_block_by_block(small_model.serving(), clip), expected, atol=1e-5, rtol=0)


def test_bfloat16_is_close(small_model: WanS2V, clip: _Clip) -> None:
    expected = _block_by_block(small_model, clip)
    served = _block_by_block(small_model.serving(torch.bfloat16), clip)
    assert served.dtype == torch.float32
    assert (served - expected).norm() / expected.norm() < 0.02


def test_every_parameter_learns_from_a_window(small_model: WanS2V, clip: _Clip) -> None:
    small_model.forward_window(
        clip.x, clip.t, clip.audio, clip.prompts, clip.sink, prompt_index=clip.index
    ).square().mean().backward()
    still = {n for n, p in small_model.named_parameters() if p.grad is None or not p.grad.any()}
    # no pose is given, and one layer of audio features needs no weights
    assert still == {"cond_encoder.weight", "casual_audio_encoder.weights"}


def test_what_a_block_does_not_see_does_not_matter(small_model: WanS2V, clip: _Clip) -> None:
    """Neither the future nor blocks older than the window reach block 3."""
    before = _block_by_block(small_model, clip)[:, 3]
    clip.x[:, 4] += 1
    clip.audio[:, 4] += 1
    clip.x[:, 0] += 1
    after = _block_by_block(small_model, clip)[:, 3]
    assert not torch.equal(after, before)  # two layers on, block 0 acts through blocks 1 and 2
    clip.x[:, 0] -= 1
    clip.audio[:, 3, ..., -1] += 1
    assert not torch.equal(_block_by_block(small_model, clip)[:, 3], before)


@pytest.mark.parametrize("weights", ["small_model", "reference_model"])
@torch.no_grad()
def test_equals_a_masked_pass_over_the_whole_sequence(
    weights: str, request: pytest.FixtureRequest
) -> None:
    """Three blocks with the whole past in the window: positions may as well be absolute."""
    model, blocks = request.getfixturevalue(weights), 3
    clip = _Clip(model.config)
    expected = _block_by_block(model, clip)[:1, :blocks]
    text = model.encode_text(clip.prompts[clip.index[0, :blocks]])
    velocity = _masked_pass(model, clip, text, blocks)
    assert_close(velocity, expected, atol=2e-5, rtol=0)


def _masked_pass(model: WanS2V, clip: _Clip, text, blocks: int) -> Tensor:  # type: ignore[no-untyped-def]
    """All tokens of the first stream in one attention with a block-causal mask.

    The sink's distance to a block is constant in the window, so here each query block sees the
    sink's keys rotated for its own absolute place.
    """
    block_tokens = 3 * FRAME_TOKENS
    rows = [model.time(clip.t[:1, n]).rows for n in range(blocks)]
    heads = [model.time(clip.t[:1, n]).embedding for n in range(blocks)]
    sink = model.prefill_sink(clip.sink[:1], text.select(torch.tensor([0])))
    sound = [model.casual_audio_encoder(clip.audio[:1, n], pad=False) for n in range(blocks)]
    parts = [model._noisy_tokens(clip.x[:1, n]) for n in range(blocks)]
    absolute = rope_table(grid_positions(range(3 * blocks), 4, 4), model.config.head_dim)
    for index, block in enumerate(model.blocks):
        made = [block.qkv(p, block.modulated(r)) for p, r in zip(parts, rows, strict=True)]
        q = rotate(torch.cat([q for q, _ in made], dim=1), absolute)
        k = rotate(torch.cat([kv.k for _, kv in made], dim=1), absolute)
        v = torch.cat([kv.v for _, kv in made], dim=1)
        sinks = [
            rotate(
                sink.layers[index].k,
                rope_table(grid_positions([30 + 3 * n], 4, 4), model.config.head_dim),
            )
            for n in range(blocks)
        ]
        keys = torch.cat([*sinks, k], dim=1)
        values = torch.cat([*[sink.layers[index].v] * blocks, v], dim=1)
        of_query = torch.arange(blocks).repeat_interleave(block_tokens)[:, None]
        of_sink = torch.arange(blocks).repeat_interleave(FRAME_TOKENS)[None]
        mask = torch.cat([of_query == of_sink, of_query >= of_query.T], dim=1)
        seen = F.scaled_dot_product_attention(
            q.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2), attn_mask=mask
        )
        attended = seen.transpose(1, 2).flatten(2).split(block_tokens, dim=1)
        inject = model.audio_injector.at(index)
        for n in range(blocks):
            prompt = text.select(torch.tensor([n])).layers[index]
            parts[n] = block.finish(parts[n], attended[n], block.modulated(rows[n]), prompt)
            parts[n] = parts[n] if inject is None else inject(parts[n], sound[n])
    out = [model.head(p, h) for p, h in zip(parts, heads, strict=True)]
    return torch.stack([model._unpatchify(o, clip.x[:1, 0]) for o in out], dim=1)


def test_compiled_layers_compute_the_same(small_model: WanS2V, clip: _Clip) -> None:
    expected = _block_by_block(small_model, clip)
    small_model.compile_serving(backend="aot_eager")  # captured as ever, but no C++
    assert_close(_block_by_block(small_model, clip), expected, atol=1e-5, rtol=0)
