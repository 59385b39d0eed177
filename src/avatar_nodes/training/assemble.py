"""Gathers the parts of a training run into one checkpoint folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2

from avatar_nodes.training.clips import Clip, ClipSpec

_PARTS = (
    "diffusion_pytorch_model.safetensors",
    "config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
)
"""What a stage of the transformer exports."""
REFERENCE_SEED = 11
"""A person of the test split: never seen in training."""


def before_distilling(run: Path) -> Path:
    """The causal model's export: with visual memory where that was trained."""
    remembering = run / "compressor" / "export"
    return remembering if (remembering / "config.json").exists() else run / "causal" / "export"


def before_recall(run: Path) -> Path:
    """The distilled model's export where there is one, `before_distilling` otherwise."""
    distilled = run / "distill" / "export"
    return distilled if (distilled / "config.json").exists() else before_distilling(run)


def last_export(run: Path) -> Path:
    """The export of the stage recall where there is one, `before_recall` otherwise."""
    recalling = run / "recall" / "export"
    return recalling if (recalling / "config.json").exists() else before_recall(run)


def assemble_checkpoint(run: Path, out: Path) -> Iterator[str]:
    """Copy the transformer, text encoder and autoencoder of `run` to `out`; yields what it did.

    The transformer is `last_export`. The sharpened decoder is taken where it was trained, the first
    one otherwise. The judges are taken along where they were trained.
    Raises:
        FileNotFoundError: a stage has not been trained yet.
    """
    sharpened = run / "sharpen" / "vae"
    vae = sharpened if (sharpened / "config.json").exists() else run / "vae" / "vae"
    model = last_export(run)
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
    clip = Clip(ClipSpec.sample(REFERENCE_SEED, split="test", blocks=1))
    picture = cv2.cvtColor(clip.reference(), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(out / "reference.png"), picture)
    yield "reference.png"
