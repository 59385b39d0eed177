"""The parts of a run in one checkpoint folder."""

from pathlib import Path

import pytest

from avatar_nodes.training.stages.assemble import assemble_checkpoint, newest_export


def write(run: Path, *names: str) -> None:
    for name in names:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(name)


def test_every_part_lands_in_its_place_and_judges_come_along(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "checkpoint"
    weights = "diffusion_pytorch_model.safetensors"
    text = ("text_encoder/config.json", "text_encoder/model.safetensors")
    write(run, *(f"causal/export/{name}" for name in ("config.json", weights, *text)))
    write(run, "vae/vae/config.json", f"vae/vae/{weights}")
    list(assemble_checkpoint(run, out))
    assert not (out / "judges").exists() and (out / "reference.png").stat().st_size > 1000
    write(run, "sharpen/vae/config.json", f"sharpen/vae/{weights}")
    write(run, "judges/export/config.json", "judges/export/syncnet.safetensors")
    said = list(assemble_checkpoint(run, out))
    assert (out / "vae" / weights).read_text() == f"sharpen/vae/{weights}"
    assert (out / "judges" / "syncnet.safetensors").read_text().startswith("judges/export")
    assert any(line.startswith("judges/config.json") for line in said)


def test_a_missing_stage_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="train that stage first"):
        list(assemble_checkpoint(tmp_path, tmp_path / "out"))


def test_the_latest_stage_of_the_transformer_is_taken(tmp_path: Path) -> None:
    """Causal, with visual memory, distilled, with memory for that; each where it was trained."""
    run, out = tmp_path / "run", tmp_path / "checkpoint"
    weights = "diffusion_pytorch_model.safetensors"
    parts = ("config.json", weights, "text_encoder/config.json", "text_encoder/model.safetensors")
    write(run, "vae/vae/config.json", f"vae/vae/{weights}")
    assert newest_export(run) == run / "causal" / "export", "which is to be asked for"
    for stage in ("causal", "compressor", "distill", "recall"):
        write(run, *(f"{stage}/export/{name}" for name in parts))
        list(assemble_checkpoint(run, out))
        assert (out / weights).read_text() == f"{stage}/export/{weights}"
        assert newest_export(run) == run / stage / "export"
        if stage != "recall":
            assert newest_export(run, before="recall") == run / stage / "export"
        if stage in ("causal", "compressor"):
            assert newest_export(run, before="distill") == run / stage / "export"
