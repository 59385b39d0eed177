"""Layers whose weights stay on the host: the same bits, and what is where."""

from __future__ import annotations

import pytest
import torch
from support import golden
from torch import Tensor, nn

from avatar_nodes.model.checkpoint import load_served
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.float8 import use_float8
from avatar_nodes.model.lora import LoraFile
from avatar_nodes.model.offload import LayerOffload, OffloadError, offloaded_layers, tensors_of

DIT = golden.FOLDER / "dit_s2v"


def _model(device: str = "cpu", dtype: torch.dtype = torch.float32, float8: bool = False) -> WanS2V:
    """Seven layers, the same random weights every time."""
    torch.manual_seed(0)
    config = DiTConfig.tiny(
        dim=64, ffn_dim=128, num_layers=7, audio_inject_layers=(0, 3), freq_dim=32, text_dim=16,
        text_len=8, in_dim=4, out_dim=4, cond_dim=4, audio_dim=6, latent_shape=(4, 8, 8),
        prediction="velocity",
    )  # fmt: skip
    model = WanS2V(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.2)
    model = model.to(device)
    if float8:
        use_float8(model, dtype)
    return model.serving(dtype)


def _offloaded(count: int, device: str = "cpu", **kind: object) -> tuple[WanS2V, LayerOffload]:
    model = _model(device, **kind)  # type: ignore[arg-type]
    chosen = [model.layers[index] for index in offloaded_layers(7, count)]
    for layer in chosen:
        layer.to("cpu")
    return model, LayerOffload(chosen, device)


@torch.inference_mode()
def _stream(model: WanS2V, blocks: int = 4) -> list[Tensor]:
    """Velocities of a stream of blocks whose prompt changes, each seeing those before it."""
    device = next(model.parameters()).device
    torch.manual_seed(1)
    still = torch.randn(1, 4, 1, 8, 8)
    out, past = [], []
    for block in range(blocks):
        if block % 2 == 0:
            text = model.encode_text(torch.randn(1, 5, 16).to(device))
            sink = model.prefill_sink(still.to(device), text)
        x, sound = torch.randn(1, 4, 3, 8, 8).to(device), torch.randn(1, 1, 6, 17).to(device)
        t = torch.tensor([500.0], device=device)
        velocity, kv = model.forward_block(x, t, sound, text, sink, past[-2:])
        past.append(kv)
        out.append(velocity.cpu())
        rebuilt = model.block_keys_values(x, t, model.encode_audio(sound), text, sink, past[-3:-1])
        assert all(torch.equal(a.k, b.k) for a, b in zip(rebuilt.layers, kv.layers, strict=True))
    return out


def test_layers_are_chosen_at_even_distances() -> None:
    assert offloaded_layers(40, 0) == []
    assert offloaded_layers(40, 20) == list(range(1, 40, 2))
    assert offloaded_layers(40, 10) == list(range(2, 40, 4))
    assert offloaded_layers(40, 40) == list(range(40))
    assert offloaded_layers(7, 3) == [1, 3, 5]
    for layers, count in ((40, 41), (40, 1), (40, 2), (2, 2)):
        with pytest.raises(OffloadError, match=f"3 to {layers} .* got {count}"):
            offloaded_layers(layers, count)


@pytest.mark.parametrize("count", [3, 4, 6, 7])
@pytest.mark.parametrize(
    ("dtype", "float8"),
    [(torch.float32, False), (torch.bfloat16, False), (torch.bfloat16, True)],
    ids=["float32", "bfloat16", "e4m3"],
)
def test_the_same_bits(count: int, dtype: torch.dtype, float8: bool) -> None:
    model, _ = _offloaded(count, dtype=dtype, float8=float8)
    expected = _stream(_model(dtype=dtype, float8=float8))
    for velocity, other in zip(_stream(model), expected, strict=True):
        assert torch.equal(velocity, other)


def _bytes(tensors: list[Tensor]) -> int:
    """What the tensors' memory takes, each piece counted once."""
    pieces = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(pieces.values())


def test_what_is_on_the_device_and_what_on_the_host() -> None:
    whole = _model(dtype=torch.bfloat16)
    layer = sum(tensor.nbytes for _, tensor in tensors_of(whole.layers[0]))
    rest = _bytes(list(whole.parameters()) + list(whole.buffers())) - 7 * layer
    model, offload = _offloaded(5, dtype=torch.bfloat16)
    padding = offload.layer_bytes - layer
    assert 0 <= padding < 256 * len(list(tensors_of(whole.layers[0])))
    on_host = sum(chunk.nbytes for chunks in offload._host for chunk in chunks)
    assert on_host == 5 * offload.layer_bytes
    held = _bytes(list(model.parameters()) + list(model.buffers()))
    assert held == rest + 2 * layer + 2 * offload.layer_bytes
    _stream(model)
    assert _bytes(list(model.parameters()) + list(model.buffers())) == held


def test_a_pass_that_breaks_off_spoils_nothing() -> None:
    model, _ = _offloaded(6)
    expected = _stream(_model())

    def fail(*_: object) -> None:
        raise RuntimeError("broken off")

    for index in range(7):
        handle = model.layers[index].register_forward_pre_hook(fail)
        with pytest.raises(RuntimeError, match="broken off"):
            _stream(model)
        handle.remove()
        for velocity, other in zip(_stream(model, blocks=2), expected[:2], strict=True):
            assert torch.equal(velocity, other)


def test_compiled() -> None:
    model, _ = _offloaded(3)
    expected = _stream(_model())
    model.compile_serving(backend="aot_eager")
    for velocity, other in zip(_stream(model), expected, strict=True):
        torch.testing.assert_close(velocity, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("float8", [False, True])
def test_loaded_from_a_checkpoint(float8: bool) -> None:
    """With its LoRA; what stays on the host is merged and brought to 8 bits as everything is."""
    lora = golden.FOLDER / "lora/lora_bare_plain.safetensors"

    def load(count: int) -> WanS2V:
        adapter = LoraFile(lora, scale=0.5)
        return load_served(
            DIT, dtype=torch.bfloat16, lora=adapter, float8=float8, offload_layers=count
        )

    whole, model = load(0), load(3)
    inputs = golden.load("dit_s2v/inputs_b_motion")
    text = inputs["context"][None]
    with torch.inference_mode():
        expected = whole.prefill_sink(inputs["ref_latents"], whole.encode_text(text))
        found = model.prefill_sink(inputs["ref_latents"], model.encode_text(text))
    for mine, other in zip(found.layers, expected.layers, strict=True):
        assert torch.equal(mine.k, other.k) and torch.equal(mine.v, other.v)


def test_layers_must_be_alike() -> None:
    alike = [nn.Linear(4, 4) for _ in range(3)]
    with pytest.raises(OffloadError, match="different kinds"):
        LayerOffload([*alike, nn.Linear(4, 5)], "cpu")
    assert LayerOffload(alike, "cpu").layer_bytes == 2 * 256


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")
@pytest.mark.parametrize("count", [3, 7])
def test_on_a_gpu(count: int) -> None:
    model, offload = _offloaded(count, "cuda", dtype=torch.bfloat16)
    assert all(chunk.is_pinned() for chunks in offload._host for chunk in chunks)
    expected = _stream(_model("cuda", dtype=torch.bfloat16))
    for velocity, other in zip(_stream(model), expected, strict=True):
        assert torch.equal(velocity, other)
