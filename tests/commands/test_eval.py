"""`avatar eval ...` from its options to its table and JSON, with random weights at full size."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from support.tiny_checkpoint import build_tiny_checkpoint, write_tiny_profile

from avatar_nodes.commands.eval.group import command
from avatar_nodes.commands.eval.model_options import EvalOptions, ModelUnderTest
from avatar_nodes.evaluation.ablation import ablation_rows
from avatar_nodes.judging.action_net import ActionNet
from avatar_nodes.judging.faces import FaceJudge
from avatar_nodes.judging.footage import JudgeError
from avatar_nodes.judging.identity_net import IdentityNet
from avatar_nodes.judging.judge_folder import save_judge
from avatar_nodes.judging.mouth_net import MouthNet
from avatar_nodes.judging.syncnet import SyncNet
from avatar_nodes.model.dit_config import MemoryConfig

ACTIONS = ("rest", "wave")


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile of an untrained model that makes pictures of the tiny world's size."""
    folder = tmp_path_factory.mktemp("eval")
    memory = MemoryConfig(short=4, long=3, hidden=16, heads=2)
    checkpoint = build_tiny_checkpoint(folder / "checkpoint", side=256, memory=memory)
    torch.manual_seed(0)
    judges = checkpoint / "judges"
    save_judge(judges, "syncnet", SyncNet(), {"mels": 40})
    save_judge(judges, "identity", IdentityNet(), {})
    save_judge(judges, "actions", ActionNet(ACTIONS), {"actions": ACTIONS})
    save_judge(judges, "mouth", MouthNet(), {"people_share": 1.0})
    return write_tiny_profile(folder, checkpoint, side=256)


def evaluate(profile: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """The figures and the table of one command."""
    out = profile.parent / "figures.json"
    out.unlink(missing_ok=True)
    options = ["--profile", str(profile), "--threads", "1", "--json", str(out)]
    result = CliRunner().invoke(command, [*arguments, *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "|---|" in result.stdout and "left" not in result.stdout
    return json.loads(out.read_text()), result.stdout


def test_sync(profile: Path) -> None:
    figures, table = evaluate(profile, "sync", "--clips", "1", "--blocks", "4", "--unheard", "1")
    keys = {"aperture_corr", "lag_frames", "unheard_voice_corr", "sync_c", "sync_d", "truth_corr"}
    assert keys <= figures.keys()
    assert set(figures["baselines"]) == {"truth", "copy of the reference", "nearest neighbour"}
    assert figures["truth_corr"] > 0.95 and abs(figures["aperture_corr"]) < 0.95
    assert "| nearest neighbour |" in table


def test_identity(profile: Path) -> None:
    figures, table = evaluate(profile, "identity", "--clips", "2", "--blocks", "4")
    assert {"start", "end", "drift", "colour_drift", "other_people"} <= figures.keys()
    assert figures["drift"] == pytest.approx(figures["start"] - figures["end"])
    assert figures["baselines"]["truth"]["colour_start"] < 1.0
    assert table.startswith("| system | clips | start | end | drift |")


def test_actions(profile: Path) -> None:
    figures, _ = evaluate(profile, "actions", "--people", "1")
    assert {"accuracy", "chance", "accuracy_on_truth", "ends"} <= figures.keys()
    assert set(figures["per_action"]) == set(ACTIONS)
    assert figures["chance"] == pytest.approx(0.5) and len(figures["per_clip"]) == 2


def test_memory(profile: Path) -> None:
    figures, table = evaluate(profile, "memory", "--clips", "1", "--hidden", "8")
    assert figures["truth"]["again_kind"] == figures["truth"]["again_colour"] == 1.0
    with_memory, without = figures["with memory"], figures["without memory"]
    assert with_memory["again_error"] != without["again_error"] > 0.0
    assert with_memory["block_ms"] > 0.0
    assert "| chance |" in table


def test_memory_of_one_row(profile: Path) -> None:
    options = ["--clips", "1", "--hidden", "8", "--row", "key frames by lot"]
    figures, table = evaluate(profile, "memory", *options)
    assert "| key frames by lot |" in table and "| truth |" in table
    assert "with memory" not in figures and "without memory" not in figures


def test_memory_wants_a_thing_hidden_for_longer_than_the_last_blocks_are_held(
    profile: Path,
) -> None:
    options = ["memory", "--profile", str(profile), "--clips", "1", "--hidden", "7"]
    result = CliRunner().invoke(command, options)
    assert result.exit_code == 2
    assert "--hidden" in result.output and "at least 8" in result.output


def test_keyframes(profile: Path) -> None:
    figures, table = evaluate(
        profile, "keyframes", "--people", "1", "--minutes", "0.5", "--spoilt", "1"
    )
    # every picture is a fault, and three key frames (the checkpoint's) are few: all are replaced
    assert figures["without gate"]["spoilt"] == 1.0
    assert figures["without gate"]["recall"] in (0.0, None)
    assert figures["the paper's rule alone"]["replaced_a_minute_first"] > 0.0
    assert "| without decay |" in table and "| spoilt_share | 1.000 |" in table


def test_prompt(profile: Path) -> None:
    found, table = evaluate(profile, "prompt", "--blocks", "6")
    assert list(found) == ["all", "begins", "ends", "becomes another"]
    figures = found["begins"]
    for name in ("without", "with Cache-Switching", "switch to the same prompt"):
        assert len(figures[name]["distances"]) == 9  # latent frames after the change
        assert figures[name]["border"] > 0.0
    assert figures["without"]["distances"] != figures["with Cache-Switching"]["distances"]
    assert figures["without"]["twin_border"] == figures["with Cache-Switching"]["twin_border"]
    same = figures["switch to the same prompt"]
    assert max(same["distances"]) > 0.0, "the caches were rebuilt"
    assert same["distances"] != figures["with Cache-Switching"]["distances"]
    for kind in ("begins", "ends", "becomes another"):
        assert len(found[kind]["truth"]["distances"]) == 9
        assert found[kind]["truth"]["visible_share"] == 1.0, "people act"
    assert table.count("| with Cache-Switching |") == 4


def test_quality(profile: Path) -> None:
    teacher = ["--teacher", str(profile.parent / "checkpoint"), "--teacher-steps", "2"]
    figures, table = evaluate(
        profile, "quality", "--clips", "1", "--blocks", "4", "--fvd", "none", *teacher,
        "--teacher-guidance", "2.0", "1.0",
    )  # fmt: skip
    assert figures["student_psnr"] < 20 and figures["student_evaluations"] == 4
    assert figures["vae_psnr"] < 30 and math.isfinite(figures["vae_ssim"])
    assert figures["student_frechet_identity_features"] > 0
    assert "none: is no TorchScript module" in figures["not_measured"]["fvd"]
    assert figures["teacher_psnr"] < 20 and figures["teacher_evaluations"] == 4
    assert figures["against_teacher"]["evaluations"] == 1.0
    assert "| nearest neighbour |" in table
    assert "teacher_psnr" not in figures["not_measured"] and "Not measured: fvd:" in table


def test_stillness(profile: Path) -> None:
    figures, table = evaluate(profile, "stillness", "--clips", "1", "--blocks", "4")
    systems = figures["systems"]
    alone = ["model, drawn alone", "autoencoder, drawn alone"]
    assert list(systems) == ["truth", "model", "autoencoder", *alone]
    assert systems["truth"]["stillness_of_truth"] == 1.0
    assert systems["model"]["walls"] != systems["model, drawn alone"]["walls"]
    assert "| model, drawn alone |" in table and figures["not_measured"] == {}


def test_sharpness(profile: Path) -> None:
    figures, table = evaluate(profile, "sharpness", "--people", "1")
    systems = figures["systems"]
    assert systems["truth"] == {"face": 1.0, "hands": 1.0, "things": 1.0}
    assert systems["model"]["face"] != 1.0 and systems["copy of the reference"]["hands"] < 0.7
    assert table.startswith("| system | face | hands | things |")


def test_photo(profile: Path, tmp_path: Path) -> None:
    data = pytest.importorskip("skimage.data", reason="a portrait: requirements/training.txt")
    try:
        FaceJudge()
    except JudgeError as error:
        pytest.skip(str(error))
    Image.fromarray(data.astronaut()[:300, 80:380]).save(tmp_path / "portrait.png")
    Image.new("RGB", (300, 300), "grey").save(tmp_path / "wall.png")
    options = ["--pictures", str(tmp_path), "--clips", "1", "--blocks", "4"]
    figures, table = evaluate(profile, "photo", *options)
    assert list(figures["pictures"]) == ["portrait.png"]
    assert "no face" in figures["not_measured"]["wall.png"]
    still = figures["baselines"]["copy of the reference"]
    assert still["same_person"] == 1.0 and still["torn"] == still["swing"] == 0.0
    assert "| portrait.png |" in table and "| mean |" in table


def test_lifelike_people(profile: Path) -> None:
    from support.people import people_studio

    people_studio()
    options = ["--clips", "1", "--blocks", "4", "--unheard", "0", "--world", "lifelike"]
    figures, _ = evaluate(profile, "sync", *options)
    assert set(figures["baselines"]) == {"truth", "copy of the reference"}
    assert (
        "rounding_corr" in figures
        and "drawn people only" in figures["not_measured"]["sync_c, sync_d"]
    )
    figures, _ = evaluate(profile, "stillness", "--clips", "1", "--blocks", "4", *options[-2:])
    assert figures["systems"]["truth"]["walls"] < 2.0 < figures["systems"]["model"]["walls"]


def test_long(profile: Path) -> None:
    figures, _ = evaluate(profile, "long", "--seconds", "10.1")
    keys = {"segments", "identity_drift", "block_ms_first", "block_ms_last", "rss_mb_first",
            "rss_mb_last"}  # fmt: skip
    assert keys <= figures.keys() and len(figures["segments"]) == 1
    assert figures["seconds"] == pytest.approx(10.08)


def test_ablation(profile: Path) -> None:
    figures, table = evaluate(
        profile, "ablation", "--seconds", "20.2", "--row", "no_history_corrupt"
    )
    assert set(figures["rows"]) == {"full"}
    assert math.isfinite(figures["rows"]["full"]["corr_first"])
    assert "no_history_corrupt" in figures["not_measured"]
    assert "| all parts, 4 steps | " in table


def test_every_row_of_the_ablation_is_a_profile_that_streams(profile: Path) -> None:
    """And each switch changes what the stream computes, from its third block at the latest."""
    under_test = ModelUnderTest(EvalOptions(str(profile), None, None, 1, None))
    sound = np.random.default_rng(0).integers(-9000, 9000, 7680).astype(np.int16)
    reference = np.random.default_rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    made: dict[str, torch.Tensor] = {}
    for row in ablation_rows(under_test.profile.model.sigmas):
        model = under_test.stream(row.values, name=row.name)
        model.pipeline.start(reference, model.prompts.encode("a person talks"))
        steps = len(row.values.get("sigmas", range(5))) - 1
        assert model.evaluations == steps + (row.name == "clean_kv")
        made[row.name] = [model.pipeline.denoise_block(sound) for _ in range(3)][-1]
    for name, latent in made.items():
        assert torch.isfinite(latent).all()
        same = name in (
            "full",
            "no_history_corrupt",
        )  # what works in training is another checkpoint
        assert torch.equal(latent, made["full"]) == same, name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["identity", "--judges", "/nowhere"], "has no judge `identity`"),
        (["photo", "--pictures", "/"], "face"),
        (["ablation", "--row", "no_brain"], "unknown row 'no_brain'"),
        (["ablation", "--checkpoint-of", "no_aas"], "expected ROW=FOLDER"),
        (["sync", "--profile", "no_such"], "no_such"),
        (["sync", "--checkpoint", "/nowhere"], "/nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1, result.output
    assert message in result.stderr.strip().splitlines()[-1]
    assert "Traceback" not in result.output
