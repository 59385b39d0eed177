"""Checks that every part of a profile's checkpoint is there and fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from torch import nn

from avatar_nodes.machine.finding import Finding
from avatar_nodes.model.tensor_files import CheckpointError
from avatar_nodes.model.wan_folder import AUDIO_MODEL, TEXT_ENCODER, VIDEO_VAE, is_published_wan

_REMEDY = "clone or install the package whole, or name another folder in model.checkpoint"
_FETCH = "docs/weights.md says what to download, and where it goes"


def check_checkpoint(
    folder: Path,
    *,
    lora: str = "",
    lora_scale: float = 0.5,
    light_decoder: str = "",
    reference: str = "",
) -> Iterator[Finding]:
    """Check each part of the folder: every tensor's name and shape.

    Our own small checkpoints are loaded; of published weights only the files' tables are read.
    """
    if not folder.is_dir():
        yield Finding("checkpoint", False, f"{folder} is not there", _REMEDY)
    elif is_published_wan(folder):
        yield from _published(folder, lora, lora_scale)
        if light_decoder:
            yield _light_decoder(folder / light_decoder)
        yield _reference(Path(reference) if reference else folder / "reference.png")
    else:
        yield _ours(folder)


def _ours(folder: Path) -> Finding:
    from avatar_nodes.model.checkpoint import load_checkpoint
    from avatar_nodes.model.text import TextEncoder
    from avatar_nodes.model.tiny_vae import load_vae

    try:
        model = load_checkpoint(folder)
        TextEncoder.load(folder / "text_encoder", text_len=model.config.text_len)
        load_vae(folder / "vae")
    except CheckpointError as error:
        return Finding("checkpoint", False, str(error), _REMEDY)
    size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    return Finding("checkpoint", True, f"{folder}: {_parameters(model)}, {size >> 20} MiB")


def _published(folder: Path, lora: str, lora_scale: float) -> Iterator[Finding]:
    from avatar_nodes.model.checkpoint import check_transformer, transformer_without_weights
    from avatar_nodes.model.lora import LoraFile
    from avatar_nodes.model.wan_text import check_text_encoder
    from avatar_nodes.model.wan_vae import check_wan_vae
    from avatar_nodes.model.wav2vec import check_wav2vec

    def adapter() -> str:
        file = LoraFile(folder / lora, scale=lora_scale)
        layers = file.check(transformer_without_weights(folder))
        return f"{file.path}: {layers} layers of the transformer's, scale {lora_scale}"

    yield _part("transformer", lambda: _found(folder, check_transformer(folder)))
    if lora:
        yield _part("LoRA", adapter)
    yield _part("text encoder", lambda: _found(folder / TEXT_ENCODER, check_text_encoder(folder)))
    yield _part(
        "video decoder", lambda: _found(folder / VIDEO_VAE, check_wan_vae(folder / VIDEO_VAE))
    )
    yield _part(
        "audio model", lambda: _found(folder / AUDIO_MODEL, check_wav2vec(folder / AUDIO_MODEL))
    )


def _light_decoder(path: Path) -> Finding:
    from avatar_nodes.model.light_decoder import check_light_decoder

    return _part("light decoder", lambda: _found(path, check_light_decoder(path)))


def _part(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except CheckpointError as error:
        return Finding(name, False, str(error), _FETCH)


def _reference(path: Path) -> Finding:
    if path.is_file():
        return Finding("reference", True, str(path))
    remedy = "put a picture of the person there, or name one in stream.reference"
    return Finding("reference", False, f"{path} is not there", remedy)


def _found(path: Path, model: nn.Module) -> str:
    return f"{path}: {_parameters(model)}, {len(model.state_dict())} tensors"


def _parameters(model: nn.Module) -> str:
    return f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.1f} M parameters"
