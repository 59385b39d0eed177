"""The `avatar` command: what it prints, how it fails, what it does not import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile
import yaml
from click.testing import CliRunner, Result
from support.tiny_model import write_tiny_model

from avatar_nodes.cli import main
from avatar_nodes.client.video_summary import summarise_video
from avatar_nodes.commands.progress import Progress
from avatar_nodes.profile.reference import reference_markdown


def _avatar(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of all commands below a group, itself included."""
    context = click.Context(group)
    found = [path]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found += _commands(command, (*path, name))
        else:
            found.append((*path, name))
    return found


@pytest.fixture(scope="module")
def profile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    samples = np.random.default_rng(0).integers(-9000, 9000, 5000).astype(np.int16)
    soundfile.write(tmp_path / "speech.wav", samples, 16000)
    return tmp_path / "speech.wav"


def test_every_command_explains_itself_and_its_options() -> None:
    paths = _commands(main)
    assert {("up",), ("render",), ("check",), ("profile",), ("bench", "graph")} <= set(paths)
    for path in paths:
        result = _avatar(*path, "--help")
        assert result.exit_code == 0, path
        context = click.Context(main)
        command: click.Command = main
        for name in path:
            assert isinstance(command, click.Group)
            found = command.get_command(context, name)
            assert found is not None
            command = found
        assert command.help, path
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (path, parameter.name)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from avatar_nodes.cli import main\n"
        "assert 'render' in CliRunner().invoke(main, ['--help']).output\n"
        "heavy = {'torch', 'numpy', 'rclpy', 'pydantic', 'yaml', 'circus'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_profile_lists_shows_and_explains() -> None:
    assert "tiny_float32" in _avatar("profile").output.split()
    assert yaml.safe_load(_avatar("profile", "tiny_float32").output)["model"]["dtype"] == "float32"
    assert _avatar("profile", "--reference").output == reference_markdown()


def test_a_wrong_profile_is_one_line_for_each_problem(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("extends: tiny\nstream: {sed: 1}\nvideo: {fps: 0}\n")
    result = _avatar("profile", file)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"Error: {file}:2: stream.sed: expected seed, got an unknown key",
        f"{file}:3: video.fps: expected a number not below 1, got 0",
    ]


def test_render_in_process(profile_file: Path, speech: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "o.mp4"
    result = _avatar(
        "render", "--in-process", "--profile", profile_file, "--audio", speech, "--out", out
    )
    assert result.exit_code == 0, result.output
    assert summarise_video(out).frames == 8
    assert "8 frames of 64x64 at 25 fps, video 0.320 s, audio 0.3" in result.output
    assert "0.31 s of sound in" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reference", "nothing.png"], "nothing.png: No such file or directory"),
        (["--profile", "nowhere"], "expected a profile file or one of tiny"),
        (["--prompt", ""], "stream.prompt: expected a text that is not empty, got ''"),
        (["--namespace", "a b"], "namespace: expected a name such as /avatar, got 'a b'"),
    ],
)
def test_render_says_in_one_line_what_is_wrong(
    profile_file: Path, speech: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    common = ["--in-process", "--audio", speech, "--out", tmp_path / "o.mp4"]
    result = _avatar("render", "--profile", profile_file, *common, *arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert len([line for line in result.output.splitlines() if "Error" in line]) == 1
    assert not (tmp_path / "o.mp4").exists()


def test_render_refuses_bad_sound_before_it_starts_anything(tmp_path: Path) -> None:
    audio = tmp_path / "a.wav"
    audio.write_bytes(b"RIFF\x04\0\0\0WAVE")
    result = _avatar("render", "--audio", audio, "--out", tmp_path / "o.mp4")
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {audio}: ")
    assert len(result.output.splitlines()) == 1


def test_check_reports_each_thing_and_fails_for_what_is_needed(
    profile_file: Path, tmp_path: Path
) -> None:
    pytest.importorskip("rclpy", exc_type=ImportError)
    good = _avatar("check", "--profile", profile_file)
    assert good.exit_code == 0, good.output
    for name in ("Python", "ROS 2", "avatar_msgs", "middleware", "torch", "bfloat16", "PyAudio"):
        assert f" {name}" in good.output
    lines = [line for line in good.output.splitlines() if " checkpoint " in line]
    assert lines[0].startswith("ok ")
    broken = tmp_path / "broken.yaml"
    broken.write_text("extends: tiny\nmodel: {checkpoint: /no/such}\n")
    bad = _avatar("check", "--profile", broken)
    assert bad.exit_code == 1
    assert "missing checkpoint     /no/such is not there" in bad.output


def test_progress_outside_a_terminal_is_a_line_each_tenth(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress(10.0)
    for done in np.arange(0.0, 12.0, 0.25):
        progress.update(float(done))
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(0, 101, 10))


def test_figures_of_a_benchmark_are_json() -> None:
    pytest.importorskip("rclpy", exc_type=ImportError)
    from avatar_nodes.bench.graph import GraphFigures
    from avatar_nodes.machine.description import describe_machine
    from avatar_nodes.machine.process_usage import Memory, Usage

    hops = {"a": {"p50": 1.0, "p99": 9.0}, "b": {"p50": 3.0, "p99": 4.0}, "c": {"p50": 2.0}}
    usage = {"a": Usage(50.0, Memory(40.0, 100.0, 30.0)), "b": Usage(10.0, Memory(2.0, 9.0, 1.0))}
    figures = GraphFigures(40.0, {"a": {"p50": 5.0}}, hops, usage, 1)
    result = figures.as_dict() | {"machine": describe_machine()}
    assert result["processes"]["a"] == {
        "cpu_percent": 50.0, "pss_mib": 40.0, "rss_mib": 100.0, "uss_mib": 30.0,
    }  # fmt: skip
    assert (result["hop_ms_p50"], result["hop_ms_p99"]) == (2.0, 9.0)
    assert json.loads(json.dumps(result))["machine"]["cores"] >= 1
