"""What is said of a GPU before anybody has one: computed, and said to be so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("diffusers", reason="needs the packages of requirements/large.txt")

from avatar_nodes.cli import main
from avatar_nodes.commands import gpu_advice
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.pass_cost import pass_cost
from avatar_nodes.pipeline.frame_rate import frame_rate, paper_seconds, reached_share
from avatar_nodes.pipeline.gpu_choice import SPARE, choices
from avatar_nodes.profile import load_profile
from avatar_nodes.profile.gpus import find_gpu


def _run(*options: str) -> Result:
    return CliRunner().invoke(main, ["profile", *options])


def test_a_step_on_paper() -> None:
    """The times of docs/weights.md: an H100, 704x384."""
    h100 = find_gpu("H100")
    for float8, ms in ((False, 122), (True, 82)):
        cost = pass_cost(DiTConfig(), float8=float8, has_motion=True)
        seconds = paper_seconds(cost, h100, float8=float8)
        assert 1000 * seconds == pytest.approx(ms, abs=1)


def test_the_public_system_gets_its_own_figures_back() -> None:
    rate = frame_rate(load_profile("wan_s2v_14b_5gpu"), find_gpu("H100"))
    assert rate.expected == pytest.approx(20.88)
    assert rate.reached == reached_share(tuned=False) == pytest.approx(0.213, abs=0.005)
    assert reached_share(tuned=True) == pytest.approx(0.307, abs=0.005)


def test_one_gpu_takes_the_steps_and_the_decoder_in_turn() -> None:
    """The paper says 5 frames/s for its model on one GPU."""
    rate = frame_rate(load_profile("wan_s2v_14b"), find_gpu("H100"))
    assert rate.at_most == pytest.approx(12 / (4 * 0.122 + 0.0278), rel=0.01)
    assert rate.expected == pytest.approx(5, abs=0.3)


def test_weights_from_the_host_set_the_pace() -> None:
    """14.1 GB three times a block: docs/weights.md has 1.7 s at 25 GB/s."""
    rate = frame_rate(load_profile("wan_s2v_14b_24gb"), find_gpu("RTX 4090"))
    assert 12 / rate.at_most == pytest.approx(1.7, abs=0.05)
    assert any("40 layers of 351 MB at 25 GB/s" in line for line in rate.arithmetic)


def test_eight_bits_need_fp8() -> None:
    with pytest.raises(ConfigurationError, match="RTX 3090 has no FP8"):
        frame_rate(load_profile("wan_s2v_14b_24gb"), find_gpu("RTX 3090"))


@pytest.mark.parametrize(
    ("name", "count", "first", "is_live"),
    [
        ("RTX 4090", 1, "wan_s2v_14b_24gb", False),
        ("H100", 1, "wan_s2v_14b_3step", False),
        ("H100", 5, "wan_s2v_14b_5gpu", True),
    ],
)
def test_the_first_choice(name: str, count: int, first: str, is_live: bool) -> None:
    gpu = find_gpu(name)
    found = choices(gpu, count)
    assert found[0].name == first and found[0].is_live == is_live
    for choice in found:
        assert choice.gpus <= count and choice.gpu_bytes + SPARE <= gpu.memory
        assert choice.rate.expected < choice.rate.at_most


def test_a_gpu_without_room_or_format_has_none() -> None:
    assert choices(find_gpu("RTX 3090"), 1) == []
    output = _run("--for", "RTX 3090").output
    assert "No profile of the 14B model fits" in output and "avatar up --profile tiny" in output


def test_the_command_says_what_is_computed_and_what_never_ran() -> None:
    output = _run("--for", "RTX 4090").output
    assert "NVIDIA Ada GPU Architecture" in output and "wan_s2v_14b_24gb" in output
    assert "Speed, computed:" in output and "Memory, computed:" in output
    assert "taew2_1.pth" in output and "Never run:" in output
    assert "avatar render" in output, "it does not keep up"


def test_the_command_to_start_writes_a_profile_that_loads(tmp_path: Path) -> None:
    output = _run("--for", "H100").output
    command = next(line for line in output.splitlines() if "mine.yaml" in line)
    writes = command.strip().partition(" && ")[0]
    subprocess.run(["bash", "-c", writes], cwd=tmp_path, check=True)
    profile = load_profile(tmp_path / "mine.yaml")
    assert profile.model.float8 and profile.model.compile


def test_an_unknown_gpu() -> None:
    failed = _run("--for", "RTX 9999")
    assert failed.exit_code == 1 and len(failed.output.splitlines()) == 1
    assert "RTX 4090" in failed.output and "--gpu-memory" in failed.output
    by_hand = ("--gpu-memory", "48", "--gpu-tflops", "400", "--gpu-fp8-tflops", "800")
    output = _run("--for", "RTX 9999", *by_hand, "--gpus", "4").output
    assert "given by hand" in output
    assert re.search(r"wan_s2v_14b_48gb.*704x384 +4 ", output)


def test_the_second_set_of_caches_goes_where_it_does_not_fit() -> None:
    first = choices(find_gpu("A100 80GB"), 1)[0]
    assert first.changes == {"conversation": {"cache_switch": False}}
    assert "conversation: {cache_switch: false}" in gpu_advice._start(first)


def test_this_machine_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert gpu_advice.gpus_here() == []
    output = _run("--for").output
    assert "No GPU that torch can use" in output and "avatar up --profile tiny" in output


def test_this_machine_with_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    class Properties:
        name, total_memory = "NVIDIA H200", 150_000_000_000

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda index: Properties)
    [(gpu, count)] = gpu_advice.gpus_here()
    assert (gpu.name, gpu.memory, count) == ("H200", 150e9, 2)
