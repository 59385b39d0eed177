"""What a run on published weights leaves, as a folder that a profile serves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from avatar_nodes.model.checkpoint import WEIGHTS
from avatar_nodes.training.stages.assemble import newest_export
from avatar_nodes.training.transformer.lora import LORA, adapter_options
from avatar_nodes.training.transformer.published import Published

PROFILE = "profile.yaml"
_EXTENDS = "wan_s2v_14b"


def assemble_published(
    run: Path, out: Path, published: Published, *, sigmas: Sequence[float],
    aas_from_block: int | None,
) -> Iterator[str]:  # fmt: skip
    """Copy what was trained to `out`, and write a profile there; yields what it did.

    The distilled model is taken where there is one, the causal one otherwise. Adapters are served
    over the published folder, which stays where it is. Whole weights get links to all else that is
    in it. aas_from_block: see `Pipeline`; None: the reference stays the sink.
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
        "placement": {"denoisers": [steps]},
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
