"""Gathers the parts of a training run into one folder that a profile serves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import yaml

from avatar_nodes.model.checkpoint import WEIGHTS
from avatar_nodes.training.transformer.lora import LORA, adapter_options
from avatar_nodes.training.transformer.published import Published
from avatar_nodes.world import Identity, Performance, render
from avatar_nodes.world.clips import SIZE, ClipSpec

_PARTS = (
    "diffusion_pytorch_model.safetensors",
    "config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
)
"""Files that a stage of the transformer exports."""
TRANSFORMER_STAGES = ("causal", "compressor", "distill", "recall")
"""Stages of `avatar train` for the streaming transformer, in order; some may be left out."""
PROFILE = "profile.yaml"
"""The profile that serves a run on published weights."""
_EXTENDS = "wan_s2v_14b"
_TRAINED_WITH: dict[str, dict[str, Any]] = {
    "model": {
        "motion_tokens": False, "decoder_start": "reference", "reference_latent": "first",
        "nearest_sink": 0,
    },
    "audio": {"loudness": "window", "context_columns": "heard"},
}  # fmt: skip
"""How training differs from what the published weights were run with."""
REFERENCE_SEED = 11
"""A person of the test split: never seen in training."""


def newest_export(run: Path, *, before: str | None = None) -> Path:
    """The export of the last stage of the transformer that has one; before: of those before it.

    Where none has, the first stage's, which is then missing.
    """
    until = len(TRANSFORMER_STAGES) if before is None else TRANSFORMER_STAGES.index(before)
    exports = [run / stage / "export" for stage in TRANSFORMER_STAGES[:until]]
    return next((e for e in reversed(exports) if (e / "config.json").exists()), exports[0])


def assemble_checkpoint(run: Path, out: Path) -> Iterator[str]:
    """Copy the transformer, text encoder and autoencoder of `run` to `out`; yields what it did.

    The transformer is `newest_export`. The sharpened decoder is taken where it was trained, the
    first one otherwise. The judges are taken along where they were trained.
    Raises:
        FileNotFoundError: a stage has not been trained yet.
    """
    decoders = [run / stage / "vae" for stage in ("sharpen", "decoder", "vae")]
    vae = next((folder for folder in decoders if (folder / "config.json").exists()), decoders[-1])
    model = newest_export(run)
    parts = {name: model / name for name in _PARTS}
    for name in ("config.json", "diffusion_pytorch_model.safetensors"):
        parts[f"vae/{name}"] = vae / name
    for source in sorted((run / "judges" / "export").glob("*")):
        parts[f"judges/{source.name}"] = source
    for target, source in parts.items():
        if not source.exists():
            raise FileNotFoundError(f"{source} is missing: train that stage first")
        (out / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, out / target)
        yield f"{target}  {source.stat().st_size / 1e6:.1f} MB"
    person = Identity.sample(ClipSpec.sample(REFERENCE_SEED, split="test", blocks=1).identity)
    drawn = render(person, Performance.neutral(), 0, size=2 * SIZE)
    picture = cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(out / "reference.png"), picture)
    yield "reference.png"


def assemble_published(
    run: Path, out: Path, published: Published, *, sigmas: Sequence[float],
    aas_from_block: int | None,
) -> Iterator[str]:  # fmt: skip
    """Copy what was trained to `out`, and write a profile there; yields what it did.

    The distilled model is taken where there is one, the causal one otherwise. Adapters are served
    over the published folder, which stays where it is. Whole weights get links to all else that is
    in it. aas_from_block: see `Pipeline`; None, where rollouts had no adaptive sink: that of the
    published weights, whose training has none either.
    Raises:
        FileNotFoundError: a stage has not been trained yet.
        CheckpointError: the adapters' file is none.
    """
    exports = (run / "distill" / "export", newest_export(run, before="distill"))
    trained = [export / name for export in exports for name in (LORA, WEIGHTS)]
    source = next((path for path in trained if path.exists()), None)
    if source is None:
        raise FileNotFoundError(f"{trained[-2]} is missing: train that stage first")
    out.mkdir(parents=True, exist_ok=True)
    model: dict[str, Any] = {"sigmas": list(sigmas), "past_blocks": published.config.past_blocks}
    model |= _TRAINED_WITH["model"]
    if aas_from_block is not None:
        model["aas_from_block"] = aas_from_block
    if source.name == LORA:
        model["checkpoint"] = str(published.folder.resolve())
        model |= {"lora": LORA, "lora_scale": adapter_options(source).scale}
        shutil.copyfile(source, out / LORA)
    else:
        model |= {"checkpoint": str(out.resolve()), "lora": ""}
        shutil.copyfile(source, out / WEIGHTS)
        shutil.copyfile(source.parent / "config.json", out / "config.json")
        yield from _linked(published.folder, out)
    yield f"{source.name}  {source.stat().st_size / 1e6:.1f} MB"
    width, height = published.size
    steps = {"steps": list(range(len(sigmas) - 1)), "device": "cuda:0"}
    profile = {
        "extends": _EXTENDS, "model": model, "video": {"width": width, "height": height},
        "audio": _TRAINED_WITH["audio"], "placement": {"denoisers": [steps]},
    }  # fmt: skip
    (out / PROFILE).write_text(yaml.safe_dump(profile, sort_keys=False), encoding="utf-8")
    yield PROFILE


def _linked(folder: Path, out: Path) -> Iterator[str]:
    """Links to what is in a published folder beside the transformer."""
    for path in sorted(folder.iterdir()):
        link = out / path.name
        if path.name == "config.json" or path.name.startswith("diffusion_pytorch_model"):
            continue
        if not link.exists():
            link.symlink_to(path.resolve())
        yield f"{path.name} -> {path.resolve()}"
