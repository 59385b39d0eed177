"""`avatar graph`: what it draws of which graph; README and documents show what it prints."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("rclpy", reason="no ROS here")

from avatar_nodes.cli import main
from avatar_nodes.wire.topics import REQUESTS, TOPICS

ROOT = Path(__file__).resolve().parent.parent.parent


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["graph", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def arrows(*arguments: str) -> set[tuple[str, str, str]]:
    """Source, label and target of every arrow."""
    found = re.findall(r'^ +(\w+) -\.?->\|"(.*?)"\| (\w+)$', printed(*arguments), re.MULTILINE)
    return {(source, label, target) for source, labels, target in found
            for label in labels.split("<br>")}  # fmt: skip


def test_documents_show_what_is_printed() -> None:
    script = ROOT / "scripts" / "draw_graph.py"
    if not script.is_file():
        pytest.skip("only in a source tree")
    spec = importlib.util.spec_from_file_location("draw_graph", script)
    assert spec is not None and spec.loader is not None
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    for file, count in zip(drawing.FILES, (1, 2), strict=True):
        text = file.read_text()
        assert text.count("<!-- avatar graph") == text.count("<!-- end -->") == count
        assert text == drawing.redrawn(text), f"{file}: run .venv/bin/python {script}"


def test_the_way_of_a_block() -> None:
    assert arrows("--mode", "puppet", "--forward") == {
        ("from_outside", "audio_in", "microphone"),
        ("microphone", "speech/audio", "conductor"),
        ("conductor", "blocks/conditioning", "denoiser_1"),
        ("conductor", "blocks/conditioning", "denoiser_2"),
        ("conductor", "blocks/conditioning", "presenter"),
        ("denoiser_1", "blocks/latent_1", "denoiser_2"),
        ("denoiser_2", "blocks/latent_clean", "decoder"),
        ("decoder", "blocks/frames", "presenter"),
        ("presenter", "image_raw", "to_outside"),
        ("presenter", "audio", "to_outside"),
        ("presenter", "blocks/credit", "conductor"),
    }


def test_nodes_take_part_as_their_parameters_say() -> None:
    converse, puppet = arrows("--mode", "converse"), arrows("--mode", "puppet")
    assert ("microphone", "user/audio", "listener") in converse
    assert not {label for source, label, _ in converse if source == "microphone"} - {"user/audio"}
    assert not {label for _, label, _ in puppet} & {"turn/control", "reply", "user/utterance"}
    assert ("presenter", "image_raw", "recorder") in arrows("--mode", "render")
    assert ("from_outside", "audio_in", "microphone") not in arrows("--mode", "render")
    served = arrows("--mode", "puppet", "--kiosk")
    assert ("kiosk", "set_prompt", "conductor") in served
    assert ("kiosk", "say", "conductor") not in served, "there is nobody to say it in mode puppet"


def test_a_shared_process_is_named(tmp_path: Path) -> None:
    profile = tmp_path / "shared.yaml"
    profile.write_text("extends: tiny\nplacement: {processes: {body: [decoder, presenter]}}\n")
    assert 'decoder["decoder<br>in process body"]' in printed(str(profile))
    assert r'presenter [label="presenter\nin process body"];' in printed(str(profile), "--dot")


def test_graphviz_text_has_the_same_arrows() -> None:
    found = re.findall(r'^ +(\w+) -> (\w+) \[label="(.*?)"', printed("--dot"), re.MULTILINE)
    dotted = {(source, label, target) for source, target, labels in found
              for label in labels.split(r"\n")}  # fmt: skip
    assert dotted == arrows()


def test_tables_have_everything_declared_or_one_graph_s() -> None:
    everything, one = printed("--table"), printed("tiny", "--mode", "puppet", "--table")
    for each in (*TOPICS, *REQUESTS):
        assert f"| `{each.name}` | " in everything
    assert (
        "| `blocks/latent_1` | avatar_msgs/LatentBlock | latched, 16 | denoiser_1 | denoiser_2 |"
        in one
    )
    assert "`turn/control`" not in one and "`memory`" not in one
    assert "\n| `stages` | avatar_msgs/StageStatus | latched, 64 | every node | conductor |" in one


def test_a_profile_that_is_none_is_refused_in_one_line() -> None:
    done = CliRunner().invoke(main, ["graph", "nothing"])
    assert done.exit_code == 1 and done.output.startswith("Error: ")
