"""The graph as data: what a profile becomes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from avatar_nodes.graph.graph import Graph, GraphError
from avatar_nodes.graph.process_command import (
    parameters_of,
    process_command,
    process_environment,
    restore_parameters,
    write_parameters,
)
from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.profile import ProfileError, load_profile, with_values

TINY = load_profile("tiny")


def _wiring(graph: Graph) -> dict[str, tuple[str | None, str | None]]:
    """(topic in, topic out) of the nodes that latents run through."""
    nodes = [node for node in graph.nodes if node.remappings]
    return {
        node.name: (node.remappings.get("latent_in"), node.remappings.get("latent_out"))
        for node in nodes
    }


def test_a_puppet_graph_in_the_order_of_the_data_flow() -> None:
    graph = Graph.from_profile(TINY)
    names = [node.name for node in graph.nodes]
    assert names == [
        "microphone", "conductor", "denoiser_1", "denoiser_2", "decoder", "presenter",
    ]  # fmt: skip
    assert graph.stages == ("denoiser_1", "denoiser_2", "decoder", "presenter")
    assert [process.name for process in graph.processes] == names
    parameters = {node.name: node.parameters for node in graph.nodes}
    assert parameters["conductor"]["stages"] == list(graph.stages)
    assert parameters["microphone"]["pace"] == "realtime"
    assert parameters["microphone"]["source"] == "topic"
    assert parameters["presenter"]["pace"] == "realtime"
    assert parameters["decoder"]["reference"].endswith("checkpoints/tiny/reference.png")


def test_a_render_graph_runs_free_and_ends_with_its_recorder(tmp_path: Path) -> None:
    graph = Graph.from_profile(TINY, mode="render", audio="speech.wav", out=tmp_path / "o.mp4")
    parameters = {node.name: node.parameters for node in graph.nodes}
    assert graph.nodes[-1].name == graph.stages[-1] == "recorder"
    assert parameters["microphone"]["pace"] == "demand"
    assert parameters["microphone"]["file"] == str(Path("speech.wav").absolute())
    assert parameters["conductor"]["pace"] == parameters["presenter"]["pace"] == "free"
    assert parameters["recorder"]["out"] == str(tmp_path / "o.mp4")
    assert parameters["presenter"]["readers"] == 1  # the recorder misses no frame
    assert [process.name for process in graph.processes if process.ends_graph] == ["recorder"]
    assert [node.name for node in graph.nodes if not node.respawn] == ["recorder"]


def test_latents_run_through_the_denoisers_one_after_the_other() -> None:
    assert _wiring(Graph.from_profile(TINY)) == {
        "denoiser_1": (None, "blocks/latent_1"),
        "denoiser_2": ("blocks/latent_1", "blocks/latent_clean"),
        "decoder": ("blocks/latent_clean", None),
    }
    assert _wiring(Graph.from_profile(TINY, placement="separate")) == {
        "denoiser_1": (None, "blocks/latent_1"),
        "denoiser_2": ("blocks/latent_1", "blocks/latent_2"),
        "denoiser_3": ("blocks/latent_2", "blocks/latent_3"),
        "denoiser_4": ("blocks/latent_3", "blocks/latent_clean"),
        "decoder": ("blocks/latent_clean", None),
    }


@pytest.mark.parametrize("placement", ["profile", "separate", "single"])
def test_every_placement_owns_every_step_once(placement: str) -> None:
    graph = Graph.from_profile(TINY, placement=placement)  # type: ignore[arg-type]
    owned = [node.parameters["steps"] for node in graph.nodes if node.kind == "denoiser"]
    assert [step for steps in owned for step in steps] == [0, 1, 2, 3]
    processes = graph.processes
    assert sorted(node.name for process in processes for node in process.nodes) == sorted(
        node.name for node in graph.nodes
    )
    assert (len(processes) == 1) == (placement == "single")


def test_the_switches_of_the_ablations_reach_their_nodes() -> None:
    switches = {"adaptive_sink": False, "rolling_rope": False, "kv_cache": "clean"}
    placement = {"denoisers": [{"steps": [0, 1, 2, 3]}]}
    profile = with_values(TINY, {"model": switches, "placement": placement})
    told = []
    for of in (TINY, profile):
        parameters = {node.name: node.parameters for node in Graph.from_profile(of).nodes}
        told.append(
            (
                parameters["conductor"]["adaptive_sink"],
                parameters["denoiser_1"]["rolling_rope"],
                parameters["denoiser_1"]["kv_cache"],
            )
        )
    assert told == [(True, True, "same_noise"), (False, False, "clean")]
    for split in ("separate", "single"):
        with pytest.raises(GraphError, match=f"model.kv_cache is clean.*got {split}"):
            Graph.from_profile(profile, placement=split)  # type: ignore[arg-type]


def test_shared_processes_come_from_the_profile() -> None:
    processes = {"front": ["presenter", "microphone", "conductor"]}
    profile = with_values(TINY, {"placement": {"processes": processes}})
    graph = Graph.from_profile(profile, namespace="/robot/avatar")
    front = graph.processes[0]
    assert front.name == "front"
    assert [node.name for node in front.nodes] == ["microphone", "conductor", "presenter"]
    command = process_command(graph, front, [Path("/p.yaml")])
    assert command[1:] == [
        "-m", "avatar_nodes.nodes.container",
        "--nodes", "microphone:microphone,conductor:conductor,presenter:presenter",
        "--ros-args", "-r", "__ns:=/robot/avatar", "--params-file", "/p.yaml",
        "--log-level", "info",
    ]  # fmt: skip


def test_remappings_in_a_shared_process_name_their_node() -> None:
    graph = Graph.from_profile(TINY, placement="single")
    command = process_command(graph, graph.processes[0], [])
    assert "denoiser_2:latent_in:=blocks/latent_1" in command
    assert "decoder:latent_in:=blocks/latent_clean" in command
    assert not any(argument.startswith("__node") for argument in command)


def test_a_node_by_itself_runs_its_own_module() -> None:
    graph = Graph.from_profile(TINY)
    command = process_command(graph, graph.processes[2], [Path("/p.yaml")], "warn")
    assert command[1:] == [
        "-m", "avatar_nodes.nodes.denoiser", "--ros-args", "-r", "__node:=denoiser_1",
        "-r", "__ns:=/avatar", "-r", "latent_out:=blocks/latent_1",
        "--params-file", "/p.yaml", "--log-level", "warn",
    ]  # fmt: skip


def test_parameters_keep_their_types_on_the_way_through_the_file(tmp_path: Path) -> None:
    prompt = "true: 'née' \"quoted\"\n12"
    graph = Graph.from_profile(TINY, prompt=prompt, seed=2**62)
    file = write_parameters(graph, tmp_path)
    read = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert read == parameters_of(graph)
    conductor = read["/avatar/conductor"]["ros__parameters"]
    assert conductor["prompt"] == prompt
    assert conductor["seed"] == 2**62
    assert isinstance(conductor["margin_s"], float)
    for node in read.values():
        for value in node["ros__parameters"].values():
            assert value != [], "ROS cannot tell the type of an empty list"
            if isinstance(value, list):
                assert len({type(item) for item in value}) == 1


def test_parameters_that_were_cleared_away_are_written_again(tmp_path: Path) -> None:
    graph = Graph.from_profile(TINY)
    folder = tmp_path / "avatar_1"
    folder.mkdir()
    file = write_parameters(graph, folder)
    wanted, written = file.read_bytes(), file.stat().st_mtime_ns
    restore_parameters(graph, file)
    assert file.stat().st_mtime_ns == written
    file.write_bytes(wanted[:100])  # a disk was full
    restore_parameters(graph, file)
    assert file.read_bytes() == wanted
    shutil.rmtree(folder)
    restore_parameters(graph, file)
    assert file.read_bytes() == wanted
    assert folder.stat().st_mode & 0o777 == 0o700


def test_whole_numbers_where_numbers_are_due_become_floats(tmp_path: Path) -> None:
    values = {"model": {"sigmas": [1, 0.9, 0.75, 0.5, 0]}, "stream": {"margin_s": 0}}
    graph = Graph.from_profile(with_values(TINY, values))
    read = yaml.safe_load(write_parameters(graph, tmp_path).read_text(encoding="utf-8"))
    sigmas = read["/avatar/denoiser_1"]["ros__parameters"]["sigmas"]
    assert [type(sigma) for sigma in sigmas] == [float] * 5
    assert isinstance(read["/avatar/conductor"]["ros__parameters"]["margin_s"], float)


def test_rcls_parser_which_knows_no_aliases_reads_the_parameters(tmp_path: Path) -> None:
    """Parameters of the same value, such as two empty lists, may be one object."""
    text = write_parameters(Graph.from_profile(TINY, mode="converse", kiosk=True), tmp_path)
    events = yaml.parse(text.read_text(encoding="utf-8"))
    assert not any(isinstance(event, yaml.AliasEvent) for event in events)


def test_environment_of_a_process() -> None:
    placement = {"denoisers": [{"steps": [0, 1, 2, 3], "device": "cpu", "threads": 2}]}
    graph = Graph.from_profile(with_values(TINY, {"placement": placement}))
    denoiser = next(process for process in graph.processes if process.name == "denoiser_1")
    environment = process_environment(denoiser, {"HOME": "/home/me"})
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment["FASTDDS_DEFAULT_PROFILES_FILE"].endswith("config/fastdds.xml")
    assert environment["HOME"] == "/home/me"
    assert process_environment(denoiser, {"OMP_NUM_THREADS": "7"})["OMP_NUM_THREADS"] == "7"


def test_secrets_go_to_the_process_that_needs_them_and_to_no_other() -> None:
    keys = {"reasoner": {"api_key_env": "CHAT_KEY"}, "voice": {"api_key_env": "VOICE_KEY"},
            "realtime": {"api_key_env": "UNUSED_KEY"}}  # fmt: skip
    graph = Graph.from_profile(with_values(TINY, keys), mode="converse", kiosk=True)
    page = ("AVATAR_KIOSK_TOKEN", "AVATAR_OPERATOR_TOKEN", "AVATAR_TURN_USER",
            "AVATAR_TURN_CREDENTIAL")  # fmt: skip
    secrets = dict.fromkeys((*page, "CHAT_KEY", "VOICE_KEY", "UNUSED_KEY"), "secret")
    holders: dict[str, set[str]] = {name: set() for name in secrets}
    only_page = {name: {"kiosk"} for name in page}
    for process in graph.processes:
        for name in process_environment(process, secrets).keys() & secrets.keys():
            holders[name].add(process.name)
    assert holders == {
        **only_page, "CHAT_KEY": {"reasoner"}, "VOICE_KEY": {"voice"},
        "UNUSED_KEY": set(),
    }  # fmt: skip
    (single,) = Graph.from_profile(TINY, placement="single", kiosk=True).processes
    assert process_environment(single, secrets)["AVATAR_KIOSK_TOKEN"] == "secret"
    assert "CHAT_KEY" in process_environment(single, secrets), "no profile calls it a secret"


def test_shared_memory_follows_from_what_a_process_sends() -> None:
    graph = Graph.from_profile(TINY, mode="converse")
    sizes = {process.name: process.segment_bytes for process in graph.processes}
    blocks = 6 * 12 * 256 * 256 * 3
    assert {name for name, size in sizes.items() if size == blocks} == {
        "conductor", "denoiser_1", "denoiser_2", "decoder", "presenter",
    }  # fmt: skip
    assert {size for size in sizes.values() if size != blocks} == {2 << 20}
    (process,) = Graph.from_profile(TINY, placement="single").processes
    assert process.segment_bytes == (2 << 20) + 7 * blocks
    assert process_environment(process, {})["AVATAR_SEGMENT_BYTES"] == str(process.segment_bytes)


@pytest.mark.parametrize(
    ("audio", "source", "name"),
    [
        ("device:", "device", ""),
        ("device:mic", "device", "mic"),
        ("topic:/voice", "topic", "/voice"),
        ("a:b.wav", "file", str(Path("a:b.wav").absolute())),
        (Path("/s.wav"), "file", "/s.wav"),
    ],
)
def test_sources_of_sound(audio: str | Path, source: str, name: str) -> None:
    microphone = Graph.from_profile(TINY, audio=audio).nodes[0]
    assert microphone.parameters["source"] == source
    assert microphone.parameters[source] == name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "render"}, "mode render: expected an audio file, got nothing"),
        ({"mode": "render", "audio": "device:"}, "mode render: expected an audio file"),
        ({"out": "o.mp4"}, "out: a video file is written in modes render and converse only"),
        ({"namespace": "avatar"}, "namespace: expected a name such as /avatar, got 'avatar'"),
        ({"namespace": "/a/"}, "namespace: expected a name"),
        ({"namespace": "/a__b"}, "namespace: expected a name"),
        ({"audio": "topic:"}, "audio: expected a topic's name after 'topic:', got nothing"),
    ],
)
def test_what_makes_no_graph(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        Graph.from_profile(TINY, **arguments)  # type: ignore[arg-type]


def test_arguments_are_held_to_the_profile_s_ranges() -> None:
    with pytest.raises(ProfileError, match=r"stream\.seed: expected a number not below 0, got -1"):
        Graph.from_profile(TINY, seed=-1)


def test_a_conversing_avatar_hears_thinks_and_speaks() -> None:
    graph = Graph.from_profile(load_profile("tiny"), mode="converse", audio="device:")
    assert [node.name for node in graph.nodes] == [
        "microphone", "listener", "reasoner", "voice", "conductor", "denoiser_1", "denoiser_2",
        "decoder", "presenter", "timeline",
    ]  # fmt: skip
    nodes = {node.name: node.parameters for node in graph.nodes}
    assert nodes["microphone"]["output"] == "user"
    assert nodes["conductor"]["mode"] == "converse"
    persona = load_persona("default")
    assert nodes["conductor"]["prompt"] == persona.states.idle
    assert nodes["conductor"]["prompt_listening"] == persona.states.listening
    assert nodes["listener"]["phrases"] == [t for i in persona.intents for t in i.examples]
    assert graph.stages == ("denoiser_1", "denoiser_2", "decoder", "presenter")


def test_a_server_converses_in_the_place_of_three() -> None:
    profile = with_values(load_profile("tiny"), {"realtime": {"enabled": True, "voice": "marin"}})
    graph = Graph.from_profile(profile, mode="converse", kiosk=True)
    assert [node.name for node in graph.nodes[:3]] == ["microphone", "realtime", "conductor"]
    assert not {"listener", "reasoner", "voice"} & {node.name for node in graph.nodes}
    nodes = {node.name: node.parameters for node in graph.nodes}
    assert nodes["realtime"]["voice"] == "marin"
    assert nodes["realtime"]["echo"] == profile.listener.echo
    assert nodes["kiosk"]["personas"] == [""]  # the server is told once who it is
    assert "realtime" not in [node.name for node in Graph.from_profile(profile).nodes]


def test_an_avatar_that_is_recorded_and_heard(tmp_path: Path) -> None:
    profile = tmp_path / "mine.yaml"
    profile.write_text(
        "extends: tiny\n"
        "marking: {watermark: true, number: 5, corner: top_left}\n"
        "loudspeaker: {enabled: true, delay_s: 0.2}\n"
        f"archive: {{enabled: true, folder: {tmp_path}/films, mcap_exclude: []}}\n"
    )
    graph = Graph.from_profile(load_profile(profile))
    assert [node.name for node in graph.nodes[-2:]] == ["loudspeaker", "archive"]
    nodes = {node.name: node.parameters for node in graph.nodes}
    assert (nodes["presenter"]["watermark"], nodes["presenter"]["label"]) == (True, False)
    archive = nodes["archive"]
    assert (archive["watermark"], archive["label"]) == (False, True)  # no mark twice
    assert (archive["mark_number"], archive["mark_corner"]) == (5, "top_left")
    assert archive["folder"] == f"{tmp_path}/films"
    assert archive["mcap_exclude"] == [""]  # an empty list is no ROS parameter
    assert (archive["of_visitors"], archive["keep_days"]) == ("words", 0.0)
    assert nodes["loudspeaker"]["delay_s"] == 0.2
    assert all(node.respawn for node in graph.nodes)
    render = Graph.from_profile(load_profile(profile), mode="render", audio="a.wav", out="o.mp4")
    assert [node.name for node in render.nodes[-2:]] == ["presenter", "recorder"]
    assert not render.nodes[-1].parameters["watermark"]


@pytest.mark.parametrize(("mcap", "told"), [(True, "sound"), (False, "nothing")])
def test_the_page_knows_what_is_kept_of_visitors(tmp_path: Path, mcap: bool, told: str) -> None:
    profile = tmp_path / "mine.yaml"
    section = f"archive: {{mcap: {str(mcap).lower()}, of_visitors: sound}}\n"
    profile.write_text(f"extends: tiny\nkiosk: {{enabled: true}}\n{section}")
    nodes = {node.name: node for node in Graph.from_profile(load_profile(profile)).nodes}
    assert nodes["kiosk"].parameters["recorded_of_visitors"] == told


def test_a_persona_that_cannot_be_used_is_said_before_anything_starts(tmp_path: Path) -> None:
    profile = tmp_path / "mine.yaml"
    profile.write_text("extends: tiny\nreasoner: {persona: nobody}\n")
    with pytest.raises(GraphError, match=r"persona: expected a persona file or one of .*default"):
        Graph.from_profile(load_profile(profile), mode="converse")


def test_the_kiosk_is_there_when_asked_for() -> None:
    assert "kiosk" not in [node.name for node in Graph.from_profile(TINY).nodes]
    talks = Graph.from_profile(TINY, mode="converse", kiosk=True)
    kiosk = talks.nodes[-1]
    assert (kiosk.kind, kiosk.parameters["title"], kiosk.parameters["mode"]) == (
        "kiosk", load_persona("default").name, "converse",
    )  # fmt: skip
    assert kiosk.parameters["listens"] and kiosk.parameters["topic"] == "audio_in"
    assert kiosk.parameters["personas"] == ["default", "guide"]
    assert "kiosk" not in talks.stages
    own = Graph.from_profile(TINY, kiosk=True, audio="device:desk").nodes[-1].parameters
    assert not own["listens"] and own["personas"] == [""]
    other = Graph.from_profile(TINY, kiosk=True, audio="topic:ears").nodes
    assert other[-1].parameters["topic"] == other[0].parameters["topic"] == "ears"
    enabled = with_values(TINY, {"kiosk": {"enabled": True, "port": 9000}})
    assert Graph.from_profile(enabled).nodes[-1].parameters["port"] == 9000
    assert Graph.from_profile(enabled, kiosk=False).nodes[-1].name == "presenter"
    rendered = Graph.from_profile(enabled, mode="render", audio="x.wav", out="x.mp4")
    assert "kiosk" not in [node.name for node in rendered.nodes]


def test_a_part_of_the_graph_keeps_what_it_knows_of_the_whole() -> None:
    whole = Graph.from_profile(TINY)
    back = whole.part(only=["denoiser_1", "denoiser_2"])
    front = whole.part(without=["denoiser_1", "denoiser_2"])
    assert [node.name for node in back.nodes] == ["denoiser_1", "denoiser_2"]
    assert [n for n in whole.nodes if n in front.nodes or n in back.nodes] == list(whole.nodes)
    assert len(front.nodes) == 4
    conductor = next(node for node in front.nodes if node.kind == "conductor")
    assert conductor.parameters["stages"] == list(whole.stages)
    assert whole.part() == whole
    with pytest.raises(GraphError, match="'nobody': expected one of microphone"):
        whole.part(only=["nobody"])
    with pytest.raises(GraphError, match="nothing is left"):
        back.part(without=["denoiser_1", "denoiser_2"])


def test_a_prompt_for_a_conversation_is_refused() -> None:
    """It would be overwritten by the persona's, silently."""
    with pytest.raises(GraphError, match=r"^prompt: in mode converse the persona"):
        Graph.from_profile(TINY, mode="converse", prompt="A person waves.")
