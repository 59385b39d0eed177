"""Memory computed before anything is downloaded: against what the modules really hold."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

pytest.importorskip("diffusers", reason="needs the packages of requirements/large.txt")

from support.wan_checkpoint import LIGHT_DECODER, LORA, build_wan_checkpoint, write_wan_profile

from avatar_nodes.cli import main
from avatar_nodes.machine.gpu_memory import memory_finding
from avatar_nodes.model.attention import LayerKV
from avatar_nodes.model.checkpoint import load_served
from avatar_nodes.model.light_decoder import load_light_decoder
from avatar_nodes.model.lora import LoraFile
from avatar_nodes.model.wan_folder import AUDIO_MODEL, VIDEO_VAE
from avatar_nodes.model.wan_text import WanTextEncoder
from avatar_nodes.model.wan_vae import load_wan_vae
from avatar_nodes.model.wav2vec import load_wav2vec
from avatar_nodes.pipeline.device_memory import (
    HOST,
    PROMPTS,
    SINKS,
    MemoryPart,
    memory_by_device,
    memory_parts,
)
from avatar_nodes.profile import Profile, load_profile, profile_names

GPU_GB = {
    "wan_s2v_14b": 141,
    "wan_s2v_14b_2gpu": 141,
    "wan_s2v_14b_4gpu": 80,
    "wan_s2v_14b_5gpu": 80,
    "wan_s2v_14b_3step": 141,
    "wan_s2v_14b_3step_4gpu": 80,
    "wan_s2v_14b_48gb": 48,
    "wan_s2v_14b_24gb": 24,
}
"""Of the GPUs that each profile is for."""
SPARE = 2.5e9
"""For kernels, and for CUDA."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wan_checkpoint(tmp_path_factory.mktemp("wan") / "weights")


def _held(tensors: list[Tensor]) -> int:
    """What the tensors' memory takes, each piece counted once."""
    pieces = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(pieces.values())


def _of_layers(layers: tuple[LayerKV, ...]) -> list[Tensor]:
    return [tensor for kv in layers for tensor in kv]


def _part(parts: list[MemoryPart], node: str, begins: str, device: str = "cpu") -> int:
    return next(
        p.bytes
        for p in parts
        if p.node == node and p.device == device and p.what.startswith(begins)
    )


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("dtype: bfloat16", {}),
        ("dtype: float32", {}),
        ("dtype: bfloat16, float8: true", {"float8": True}),
        ("dtype: bfloat16, offload_layers: 3", {"offload_layers": 3}),
        ("dtype: bfloat16, float8: true, offload_layers: 4", {"float8": True, "offload_layers": 4}),
    ],
)
def test_weights_are_those_of_the_loaded_modules(
    weights: Path, tmp_path: Path, model: str, options: dict[str, int]
) -> None:
    profile = _profile(weights, tmp_path, model)
    parts = memory_parts(profile)
    dtype = getattr(torch, profile.model.dtype)
    lora = LoraFile(weights / LORA, scale=0.5)
    served = load_served(weights, dtype=dtype, lora=lora, latent_shape=(16, 8, 12), **options)
    held = _held([*served.parameters(), *served.buffers()])
    assert _part(parts, "denoiser_1", "weights") == held
    on_host = [part.bytes for part in parts if part.device == HOST]
    assert bool(on_host) == ("offload_layers" in options)
    vae = load_wan_vae(weights / VIDEO_VAE, dtype=dtype)
    assert _part(parts, "decoder", "video") == _held(list(vae.network.parameters()))
    text = WanTextEncoder.load(weights, text_len=32, dtype=dtype)
    assert _part(parts, "conductor", "text") == _held(list(text.encoder.parameters()))
    audio = load_wav2vec(weights / AUDIO_MODEL)._model
    assert _part(parts, "conductor", "audio") == _held([*audio.parameters(), *audio.buffers()])


def _profile(weights: Path, folder: Path, model: str) -> Profile:
    file = write_wan_profile(folder, weights)
    text = file.read_text().replace("dtype: float32, ", model)
    file.write_text(text)
    return load_profile(file)


@torch.inference_mode()
def test_caches_are_those_that_a_block_makes(weights: Path, tmp_path: Path) -> None:
    parts = memory_parts(_profile(weights, tmp_path, "dtype: bfloat16, cuda_graphs: true"))
    model = load_served(weights, dtype=torch.bfloat16, latent_shape=(16, 8, 12))
    text = model.encode_text(torch.randn(1, 5, model.config.text_dim))
    sink = model.prefill_sink(torch.randn(1, 16, 20, 8, 12), text)  # with motion context
    sound = torch.randn(1, 25, model.config.audio_dim, 17)
    _, block = model.forward_block(
        torch.randn(1, 16, 3, 8, 12), torch.tensor([500.0]), sound, text, sink
    )
    kept = sum(tensor.nbytes for tensor in _of_layers(block.layers))
    assert _part(parts, "denoiser_1", "past: 3 blocks in 4 steps") == 3 * 4 * kept
    assert _part(parts, "denoiser_1", "rebuilt ahead") == 3 * 4 * kept
    made = _held(_of_layers(block.layers))
    assert _part(parts, "denoiser_1", "the block being made") == made
    sinks = sum(tensor.nbytes for tensor in _of_layers(sink.layers))
    assert _part(parts, "denoiser_1", f"{SINKS} sinks") == SINKS * sinks
    prompts = sum(tensor.nbytes for tensor in _of_layers(text.layers))
    assert _part(parts, "denoiser_1", f"{PROMPTS} prompts") == PROMPTS * prompts
    assert _part(parts, "denoiser_1", "sink and prompt of recorded passes") == sinks + prompts


@torch.inference_mode()
@pytest.mark.parametrize("light", [False, True])
def test_a_decoder_remembers_so_much(weights: Path, tmp_path: Path, light: bool) -> None:
    named = f", light_decoder: {LIGHT_DECODER}" if light else ""
    parts = memory_parts(_profile(weights, tmp_path, "dtype: bfloat16" + named))
    vae = load_wan_vae(weights / VIDEO_VAE, dtype=torch.bfloat16, decodes=not light)
    z = torch.randn(1, 3, 16, 8, 12)
    if light:
        decoder = load_light_decoder(weights / LIGHT_DECODER, dtype=torch.bfloat16)
        assert _part(parts, "decoder", "light decoder") == _held(list(decoder.parameters()))
        assert _part(parts, "decoder", "video encoder") == _held(list(vae.network.parameters()))
        _, state = decoder.decode(z)
    else:
        _, state = vae.decode(z)
    kept = sum(tensor.nbytes for tensor in state if isinstance(tensor, Tensor))
    assert _part(parts, "decoder", "what it remembers") == kept


def test_stages_of_one_process_share_their_weights(weights: Path, tmp_path: Path) -> None:
    steps = [[0, 1], [2, 3]]
    apart = write_wan_profile(tmp_path, weights, denoisers=steps)
    whole = memory_by_device(memory_parts(load_profile(apart)))["cpu"]
    together = write_wan_profile(
        tmp_path, weights, denoisers=steps, processes="all: [denoiser_1, denoiser_2]"
    )
    parts = memory_parts(load_profile(together))
    assert whole - memory_by_device(parts)["cpu"] == _part(parts, "denoiser_1", "weights")


def test_every_shipped_profile_fits_its_gpus() -> None:
    large = [name for name in profile_names() if name.startswith("wan_s2v_14b")]
    assert set(large) == set(GPU_GB)
    for name, gb in GPU_GB.items():
        needed = memory_by_device(memory_parts(load_profile(name)))
        gpus = {device: size for device, size in needed.items() if device.startswith("cuda")}
        assert gpus and all(size < gb * 1e9 - SPARE for size in gpus.values()), (name, gpus)


def test_the_published_model_without_a_download() -> None:
    """The sizes of docs/weights.md, and of the files there."""
    parts = memory_parts(load_profile("wan_s2v_14b"))
    gb = {part.what.split(":")[0]: round(part.bytes / 1e9, 1) for part in parts}
    assert gb["weights of the transformer"] == 34.6 and gb["text encoder"] == 11.4
    assert gb["audio model"] == 1.3 and gb["video autoencoder"] == 0.3


def _run(*options: str) -> str:
    result = CliRunner().invoke(main, list(options))
    assert isinstance(result.exception, (type(None), SystemExit)), result.output
    return result.output


def test_the_table() -> None:
    lines = _run("profile", "wan_s2v_14b_24gb", "--memory").splitlines()
    assert lines[0].split() == ["device", "node", "what", "GB"]
    assert any(line.startswith("host, pinned") for line in lines)
    sums = {line[:14].strip(): float(line.split()[-1]) for line in lines if line[14:17] == "all"}
    needed = memory_by_device(memory_parts(load_profile("wan_s2v_14b_24gb")))
    assert sums == {device: round(size / 1e9, 1) for device, size in needed.items()}
    assert "Computed, not measured" in lines[-2]
    assert "A small model" in _run("profile", "tiny", "--memory")
    assert "--memory needs the name" in _run("profile", "--memory")


def test_check_says_what_each_gpu_needs(weights: Path) -> None:
    output = _run("check", "--profile", "wan_s2v_14b_2gpu", "--weights", str(weights))
    lines = [line for line in output.splitlines() if line[8:].startswith("memory cuda")]
    assert len(lines) == 2 and all("GB are needed, computed" in line for line in lines)


def test_a_gpu_that_is_too_small() -> None:
    small = memory_finding("cuda:0", 30 * 10**9, 24 * 10**9)
    assert not small.ok and not small.required and "it has 24.0" in small.found
    assert memory_finding("cuda:0", 20 * 10**9, 24 * 10**9).ok
    assert memory_finding("cuda:0", 30 * 10**9, None).ok
