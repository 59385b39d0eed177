"""Profiles: what is read, and what is said about what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
from support.streams import flow_match

from avatar_nodes.block.timing import MAX_LATENTS_PER_BLOCK, BlockTiming
from avatar_nodes.mind.persona_file import PersonaError, load_persona
from avatar_nodes.profile import ProfileError, hearing_all, load_profile, profile_names, with_values
from avatar_nodes.profile.reference import reference_markdown
from avatar_nodes.profile.resources import share_directory
from avatar_nodes.profile.stream import StreamSection


def _write(folder: Path, text: str, name: str = "mine") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def _errors(folder: Path, text: str) -> list[str]:
    """The lines of the error that loading `text` raises, without the folder."""
    with pytest.raises(ProfileError) as caught:
        load_profile(_write(folder, text))
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_every_shipped_profile_is_valid() -> None:
    assert {"tiny", "tiny_float32"} <= set(profile_names())
    for name in profile_names():
        load_profile(name)


@pytest.mark.parametrize(
    ("name", "steps", "devices"),
    [
        ("wan_s2v_14b", ["0", "0", "0", "0"], ["0", "0", "cpu"]),
        ("wan_s2v_14b_2gpu", ["0", "0", "0", "0"], ["1", "1", "1"]),
        ("wan_s2v_14b_4gpu", ["0", "1", "2", "3"], ["3", "3", "3"]),
        ("wan_s2v_14b_5gpu", ["0", "1", "2", "3"], ["4", "4", "4"]),
        ("wan_s2v_14b_48gb", ["0", "1", "2", "3"], ["3", "3", "cpu"]),
        ("wan_s2v_14b_3step", ["0", "0", "0"], ["0", "0", "cpu"]),
        ("wan_s2v_14b_3step_4gpu", ["0", "1", "2"], ["3", "3", "3"]),
        ("wan_s2v_14b_24gb", ["0", "0", "0"], ["0", "0", "cpu"]),
    ],
)
def test_placements_of_the_large_model(name: str, steps: list[str], devices: list[str]) -> None:
    profile = load_profile(name)
    place = profile.placement
    found = [d.device.removeprefix("cuda:") for d in place.denoisers for _ in d.steps]
    others = (place.decoder.device, place.conductor.audio_device, place.conductor.text_device)
    assert found == steps
    assert [device.removeprefix("cuda:") for device in others] == devices
    table = flow_match(4).sigmas  # three steps leave out the last, from 0.009 to 0
    expected = table if len(steps) == 4 else (*table[:3], 0.0)
    assert profile.model.sigmas == pytest.approx(expected, abs=1e-6)
    size = (384, 256) if name == "wan_s2v_14b_24gb" else (704, 384)
    assert (profile.video.width, profile.video.height, profile.video.fps) == (*size, 25)
    assert profile.model.lora == "liveavatar.safetensors" and profile.model.lora_scale == 0.5


def test_a_lora_is_beside_the_profile_or_in_the_checkpoint(tmp_path: Path) -> None:
    file = _write(tmp_path, "extends: tiny\nmodel: {lora: mine.safetensors}\n")
    assert load_profile(file).model.lora == "mine.safetensors"
    (tmp_path / "mine.safetensors").touch()
    assert load_profile(file).model.lora == str(tmp_path / "mine.safetensors")


def test_a_light_decoder_is_looked_for_as_a_lora_is(tmp_path: Path) -> None:
    file = _write(tmp_path, "extends: tiny\nmodel: {light_decoder: taew2_1.pth}\n")
    assert load_profile(file).model.light_decoder == "taew2_1.pth"
    (tmp_path / "taew2_1.pth").touch()
    assert load_profile(file).model.light_decoder == str(tmp_path / "taew2_1.pth")


@pytest.mark.parametrize("count", [1, 2])
def test_offloading_that_saves_nothing_is_refused(tmp_path: Path, count: int) -> None:
    errors = _errors(tmp_path, f"extends: tiny\nmodel: {{offload_layers: {count}}}\n")
    assert errors == [
        "mine.yaml:2: model.offload_layers: expected 0, or more than the 2 layers that are on the"
        f" device at a time, got {count}"
    ]


def test_recorded_passes_cannot_bring_weights_from_the_host(tmp_path: Path) -> None:
    errors = _errors(tmp_path, "extends: tiny\nmodel: {offload_layers: 4, cuda_graphs: true}\n")
    assert errors == [
        "mine.yaml:2: model.cuda_graphs: expected false where offload_layers brings weights anew in"
        " every pass: a recording would not, got True"
    ]


def test_extends_takes_the_base_and_lays_its_own_values_over_it() -> None:
    tiny, exact = load_profile("tiny"), load_profile("tiny_float32")
    assert tiny.model.dtype == "bfloat16"
    assert exact.model.dtype == "float32"
    assert exact.model.sigmas == tiny.model.sigmas
    assert exact.placement == tiny.placement


def test_lists_are_replaced_and_paths_are_taken_from_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    file = _write(
        tmp_path,
        "extends: tiny\n"
        "model: {checkpoint: weights, sigmas: [1.0, 0.5, 0.0]}\n"
        "placement: {denoisers: [{steps: [0, 1]}]}\n",
    )
    profile = load_profile(file)
    assert profile.model.sigmas == [1.0, 0.5, 0.0]
    assert [place.steps for place in profile.placement.denoisers] == [[0, 1]]
    assert profile.model.checkpoint == str(tmp_path / "weights")
    assert load_profile("tiny").model.checkpoint == str(share_directory() / "checkpoints" / "tiny")


def test_a_persona_is_beside_the_profile_or_a_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "bo.yaml").write_text("extends: default\nname: Bo\n")
    (tmp_path / "bo.yaml").write_text("extends: default\nname: Bobo\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    def persona(value: str) -> str:
        file = _write(tmp_path, f"extends: tiny\nreasoner: {{persona: {value}}}\n")
        return load_profile(file).reasoner.persona

    assert load_persona(persona("people/bo.yaml")).name == "Bo"
    assert load_persona(persona("bo.yaml")).name == "Bobo"
    assert load_persona(persona(str(tmp_path / "people" / "bo.yaml"))).name == "Bo"
    shipped = share_directory() / "config" / "persona" / "default.yaml"
    assert persona("config/persona/default.yaml") == str(shipped)
    assert persona("default") == load_profile("tiny").reasoner.persona == "default"
    _write(tmp_path, "extends: tiny\nreasoner: {persona: people/bo.yaml}\n", "base")
    (elsewhere / "mine.yaml").write_text("extends: ../base.yaml\n")
    assert load_persona(load_profile("mine.yaml").reasoner.persona).name == "Bo"
    with pytest.raises(PersonaError, match="expected a persona file or one of default"):
        load_persona(persona("people/nobody.yaml"))


def test_a_profile_may_extend_one_beside_it(tmp_path: Path) -> None:
    _write(tmp_path, "extends: tiny\nstream: {seed: 7}\n", "base")
    profile = load_profile(_write(tmp_path, "extends: base\nstream: {prompt: hello}\n"))
    assert (profile.stream.seed, profile.stream.prompt) == (7, "hello")


def test_each_problem_has_its_line(tmp_path: Path) -> None:
    lines = _errors(
        tmp_path,
        "extends: tiny\n"
        "model:\n"
        "  dtype: float3\n"
        "  past_block: 2\n"
        "video: {width: 250, fps: '25'}\n"
        "stream:\n"
        "  seed: -1\n"
        "  margin_s: .nan\n"
        "diagnostic: {}\n",
    )
    assert lines == [
        "mine.yaml:3: model.dtype: expected 'bfloat16', 'float16' or 'float32', got 'float3'",
        "mine.yaml:4: model.past_block: expected past_blocks, got an unknown key",
        "mine.yaml:5: video.width: expected a multiple of 16, got 250",
        "mine.yaml:5: video.fps: expected a whole number, got '25'",
        "mine.yaml:7: stream.seed: expected a number not below 0, got -1",
        "mine.yaml:8: stream.margin_s: expected a finite number, got nan",
        "mine.yaml:9: diagnostic: expected diagnostics, got an unknown key",
    ]


def test_a_problem_in_the_base_names_the_base(tmp_path: Path) -> None:
    _write(tmp_path, "extends: tiny\n\nstream: {seed: x}\n", "base")
    lines = _errors(tmp_path, "extends: base\nvideo: {fps: 0}\n")
    assert lines == [
        "base.yaml:3: stream.seed: expected a whole number, got 'x'",
        "mine.yaml:2: video.fps: expected a number not below 1, got 0",
    ]


@pytest.mark.parametrize("steps", [[[0, 1]], [[0, 1], [3]], [[1, 0], [2, 3]], [[0, 1], [1, 2, 3]]])
def test_steps_are_covered_once_and_in_order(tmp_path: Path, steps: list[list[int]]) -> None:
    denoisers = ", ".join(f"{{steps: {owned}}}" for owned in steps)
    (line,) = _errors(tmp_path, f"extends: tiny\nplacement:\n  denoisers: [{denoisers}]\n")
    assert line.startswith("mine.yaml:3: placement.denoisers: expected steps 0 to 3")
    assert line.endswith(f"got {steps}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "audio: {sample_rate: 16001}",
            "audio.sample_rate: expected 16000 (",
        ),
        (
            "listener: {vad_release: 0.9}",
            "listener: expected a vad_release of at most vad_threshold (0.5), got 0.9",
        ),
        (
            "model: {sigmas: [1.0, 0.9, 0.9, 0.5, 0.0]}",
            "model.sigmas: expected a strictly falling list, got [1.0, 0.9, 0.9, 0.5, 0.0]",
        ),
        (
            "model: {sigmas: [1.0, 0.9, 0.7, 0.5, 0.1]}",
            "model.sigmas: expected a list that ends in 0.0, got [1.0, 0.9, 0.7, 0.5, 0.1]",
        ),
        (
            "placement: {processes: {front: [conductor, ears]}}",
            "placement.processes.front[1]: expected one of microphone, listener, reasoner, voice,"
            " realtime, conductor, denoiser_1, denoiser_2, decoder, memory, presenter, recorder,"
            " loudspeaker, archive, timeline, kiosk, got 'ears'",
        ),
        (
            "placement: {processes: {a: [conductor], b: [conductor]}}",
            "placement.processes.b[0]: expected each node once (conductor is in process a),"
            " got 'conductor'",
        ),
        (
            "placement: {processes: {decoder: [conductor]}}",
            "placement.processes.decoder: expected a name that is not another node's,"
            " got 'decoder'",
        ),
        (
            "placement: {decoder: {device: gpu}}",
            "placement.decoder.device: expected a text that matches ^(cpu|cuda(:\\d+)?)$,"
            " got 'gpu'",
        ),
        (
            "restart: {delay_s: 5.0, max_delay_s: 1.0}",
            "restart.max_delay_s: expected at least restart.delay_s (5.0), got 1.0",
        ),
        (
            "model: {kv_cache: clean}",
            "placement.denoisers: expected one denoiser that takes every step (model.kv_cache is"
            " clean), got [[0, 1], [2, 3]]",
        ),
        (
            "model: {kv_cache: dirty}",
            "model.kv_cache: expected 'same_noise' or 'clean', got 'dirty'",
        ),
        (
            "model: {nearest_sink: 4, rolling_rope: false}",
            "model.nearest_sink: expected 0 where the sink stays behind (model.rolling_rope is"
            " false), got 4",
        ),
        (
            "model: {decoder_start: still}",
            "model.decoder_start: expected reference, or model.motion_tokens true, whose latents it"
            " begins with, got 'still'",
        ),
        ("model: {rolling_rope: never}", "model.rolling_rope: expected true or false, got 'never'"),
        ("restart: {respawn: 1}", "restart.respawn: expected true or false, got 1"),
        ("placement: 3", "placement: expected a section (a mapping), got 3"),
        ("stream: {seed: 1, seed: 2}", "stream.seed: expected each key once, got it again"),
        ("3: 4", "profile: expected keys that are words, got 3"),
        ("a: [", "profile: expected valid YAML, got expected the node content, but found"),
        ("a: &a [*a]", "a[0]: expected no deeper nesting, got too much"),
        ("a: " + "[" * 5000, "profile: expected no deeper nesting, got too much"),
    ],
)
def test_what_is_impossible_is_said_in_one_line(tmp_path: Path, text: str, line: str) -> None:
    (found,) = _errors(tmp_path, f"extends: tiny\n{text}\n")
    assert found.partition(": ")[2].startswith(line)


def test_what_a_profile_must_have(tmp_path: Path) -> None:
    sections = ("model", "video", "stream", "placement")
    expected = [f"mine.yaml:1: {name}: expected a value, got nothing" for name in sections]
    assert _errors(tmp_path, "") == expected
    assert _errors(tmp_path, "[]") == [
        "mine.yaml:1: profile: expected a mapping of sections, got []"
    ]


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("mine", "a profile that does not lead back here, got 'mine'"),
        ("nowhere", "a profile that exists, got 'nowhere'"),
        ('"a\\0b"', "a profile that exists, got 'a\\x00b'"),
        ("~no-such-user/a.yaml", "a profile that exists, got '~no-such-user/a.yaml'"),
        ("3", "the name of a profile, got 3"),
    ],
)
def test_extends_must_lead_somewhere(tmp_path: Path, base: str, expected: str) -> None:
    assert _errors(tmp_path, f"extends: {base}\n") == [f"mine.yaml:1: extends: expected {expected}"]


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"a profile file or one of tiny, .*'nowhere'"):
        load_profile("nowhere")
    for name in ("x" * 5000, "a\0b", "\ud800", "~no-such-user/a.yaml", ""):
        with pytest.raises(ProfileError, match="a profile file or one of tiny"):
            load_profile(name)
    file = tmp_path / "mine.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfileError, match="expected UTF-8 text"):
        load_profile(file)


def test_values_replaced_in_code_are_validated() -> None:
    tiny = load_profile("tiny")
    assert with_values(tiny, {"stream": {"seed": 3}}).stream.seed == 3
    assert tiny.stream.seed == 0
    with pytest.raises(
        ProfileError, match=r"^stream\.seed: expected a number not below 0, got -3$"
    ):
        with_values(tiny, {"stream": {"seed": -3}})


def _checkpoint(folder: Path, **values: object) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(values))
    return folder


def test_a_profile_follows_its_checkpoint_in_time(tmp_path: Path) -> None:
    slow = BlockTiming(frame_rate=16, latents_per_block=1, sample_rate=32_000)
    checkpoint = _checkpoint(tmp_path / "slow", **slow.to_config())
    file = tmp_path / "mine.yaml"
    file.write_text(f"extends: tiny\nmodel: {{checkpoint: {checkpoint}}}\n")
    profile = load_profile(file)
    assert profile.timing == slow
    assert (profile.video.fps, profile.audio.sample_rate) == (16, 32_000)
    shipped = load_profile("tiny").model.checkpoint
    again = with_values(profile, {"model": {"checkpoint": shipped}})
    assert (again.video.fps, again.audio.sample_rate) == (25, 16_000)
    file.write_text(
        f"extends: tiny\nmodel: {{checkpoint: {checkpoint}}}\nvideo:\n  fps: 16\n"
        "audio: {sample_rate: 32000}\n"
    )
    assert load_profile(file) == profile


def test_a_profile_that_contradicts_its_checkpoint_in_time(tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path / "slow", sample_fps=16)
    lines = _errors(
        tmp_path,
        f"extends: tiny\nmodel: {{checkpoint: {checkpoint}}}\n\nvideo:\n  fps: 30\n"
        "audio: {sample_rate: 48000}\n",
    )
    assert lines == [
        "mine.yaml:5: video.fps: expected 16 (slow), got 30",
        "mine.yaml:6: audio.sample_rate: expected 16000 (slow), got 48000",
    ]


def test_a_checkpoint_with_a_timing_that_no_model_can_have(tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path / "odd", sample_fps=30)
    (line,) = _errors(tmp_path, f"extends: tiny\nmodel:\n  checkpoint: {checkpoint}\n")
    assert line == (
        "mine.yaml:3: model.checkpoint: expected a model with a timing that can be,"
        " got sampling_rate: expected a multiple of sample_fps (30), got 16000"
    )


def test_the_reference_page_is_current_and_describes_every_key() -> None:
    page = share_directory() / "docs" / "profile.md"
    if not page.is_file():
        pytest.skip("docs/ is only in a source tree")
    text = reference_markdown()
    assert page.read_text(encoding="utf-8") == text, "run: avatar profile --reference"
    assert "|  |" not in text


def test_qos_names_are_those_that_the_nodes_know() -> None:
    qos = pytest.importorskip("avatar_nodes.wire.qos", exc_type=ImportError)
    from avatar_nodes.profile.section import QosName

    assert set(get_args(QosName)) == set(qos.PUBLIC_NAMES)


def test_no_topic_is_too_short_for_what_may_be_in_flight() -> None:
    qos = pytest.importorskip("avatar_nodes.wire.qos", exc_type=ImportError)
    limits = StreamSection.model_fields["max_in_flight"].metadata
    assert max(getattr(limit, "le", 0) for limit in limits) == qos.MAX_IN_FLIGHT
    assert qos.BLOCKS.depth >= qos.MAX_IN_FLIGHT
    assert qos.FRAMES.depth >= qos.MAX_IN_FLIGHT * MAX_LATENTS_PER_BLOCK


def test_a_file_of_up_to_a_minute_can_be_heard_as_a_whole() -> None:
    profile = load_profile("wan_s2v_14b")
    heard = hearing_all(profile, 7.3).audio
    assert (heard.context_s, heard.lookahead_s) == (9.0, 9.0)
    assert hearing_all(profile, 1.0).audio.context_s == 4.0, "never less than it says itself"
    assert hearing_all(profile, 59.0).audio.lookahead_s == 60.0
    assert hearing_all(profile, 59.1) == profile
