"""Gathers the parts of a training run into one checkpoint folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2

from avatar_nodes.world.clips import Clip, ClipSpec

_PARTS = (
    "diffusion_pytorch_model.safetensors",
    "config.json",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
)
"""What a stage of the transformer exports."""
TRANSFORMER_STAGES = ("causal", "compressor", "distill", "recall")
"""Stages of `avatar train` that a streaming transformer goes through, of which some may be left
out."""
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
    sharpened = run / "sharpen" / "vae"
    vae = sharpened if (sharpened / "config.json").exists() else run / "vae" / "vae"
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
    clip = Clip(ClipSpec.sample(REFERENCE_SEED, split="test", blocks=1))
    picture = cv2.cvtColor(clip.reference(), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(out / "reference.png"), picture)
    yield "reference.png"
