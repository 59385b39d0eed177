"""Weights as Wan2.2-S2V is published, small: the real graph plays them, as the loop does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.graph_under_test import GraphUnderTest, Listener
from support.process_group import ProcessGroup
from support.settings import settings_of
from support.spinner import Spinner, wait_until

from avatar_nodes.conducting.build import PromptEncoder, build_features
from avatar_nodes.conducting.settings import FeatureSettings, PromptSettings
from avatar_nodes.decoding.build import build_decoder
from avatar_nodes.decoding.settings import DecoderSettings
from avatar_nodes.denoising.build import build_stage
from avatar_nodes.denoising.settings import DenoiserSettings
from avatar_nodes.model.device import AssemblyError

pytest.importorskip("diffusers", reason="needs the packages of requirements/large.txt")

from support.wan_checkpoint import LIGHT_DECODER, LORA, build_wan_checkpoint, write_wan_profile

from avatar_nodes.denoising.stage import Stage
from avatar_nodes.graph.graph import Graph
from avatar_nodes.model.tensor_files import CheckpointError
from avatar_nodes.model.wan_folder import AUDIO_MODEL, TEXT_ENCODER, VIDEO_VAE
from avatar_nodes.pipeline.in_process import render_in_process
from avatar_nodes.profile import hearing_all, load_profile, with_values
from avatar_nodes.sound.audio_file import read_audio_file


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wan_checkpoint(tmp_path_factory.mktemp("wan") / "weights")


@pytest.fixture(scope="module")
def oracle(weights: Path, speech: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """All frames [n, H, W, 3] of the loop in one process."""
    folder = tmp_path_factory.mktemp("oracle")
    graph = _graph(write_wan_profile(folder, weights), speech)
    return np.stack(list(render_in_process(graph, read_audio_file(speech))))


def _graph(profile: Path, speech: Path, *, whole_sound: bool = False) -> Graph:
    loaded = load_profile(profile)
    if whole_sound:
        loaded = hearing_all(loaded, len(read_audio_file(speech)) / 16_000)
    return Graph.from_profile(loaded, mode="render", audio=speech)


@pytest.mark.parametrize(
    ("denoisers", "shared"),
    [
        pytest.param([[0], [1], [2], [3]], "", id="all separate"),
        pytest.param([[0, 1, 2, 3]], "all: [denoiser_1, decoder]", id="one GPU's"),
    ],
)
def test_same_frames(
    oracle: np.ndarray,
    weights: Path,
    speech: Path,
    tmp_path: Path,
    processes: ProcessGroup,
    spinner: Spinner,
    denoisers: list[list[int]],
    shared: str,
) -> None:
    profile = write_wan_profile(tmp_path, weights, denoisers=denoisers, processes=shared)
    graph = _graph(profile, speech)
    listener = Listener(spinner, graph.namespace)
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start()
    wait_until(lambda: listener.finished, what="the stream's end")
    assert oracle.shape == (53, 64, 96, 3)
    assert np.array_equal(np.stack(listener.frames), oracle), running.logs()
    assert oracle.std(axis=0).mean() > 0.5  # it moves


@pytest.mark.parametrize(
    ("model", "whole_sound", "same"),
    [
        pytest.param(f"light_decoder: {LIGHT_DECODER}", False, False, id="light decoder"),
        pytest.param("offload_layers: 3", False, True, id="offloaded layers"),
        pytest.param("", True, False, id="the whole sound in every window"),
    ],
)
def test_same_frames_as_the_loop(
    oracle: np.ndarray,
    weights: Path,
    speech: Path,
    tmp_path: Path,
    processes: ProcessGroup,
    spinner: Spinner,
    model: str,
    whole_sound: bool,
    same: bool,
) -> None:
    """Whatever else the section `model` asks for, graph and loop follow it alike; where the layers'
    weights are changes nothing.
    """
    profile = write_wan_profile(tmp_path, weights, model=model)
    graph = _graph(profile, speech, whole_sound=whole_sound)
    listener = Listener(spinner, graph.namespace)
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start()
    expected = np.stack(list(render_in_process(graph, read_audio_file(speech))))
    wait_until(lambda: listener.finished, what="the stream's end")
    assert expected.shape == oracle.shape and np.array_equal(expected, oracle) == same
    assert np.array_equal(np.stack(listener.frames), expected), running.logs()
    assert expected.std(axis=0).mean() > 0.5  # it moves


def test_lora_sound_and_prompt_matter(oracle: np.ndarray, weights: Path, speech: Path) -> None:
    """What is loaded is used: without each the frames are others."""
    profile = load_profile(write_wan_profile(speech.parent, weights))
    samples = read_audio_file(speech)[: 2 * 7680]
    for values in (
        {"model": {"lora": ""}},
        {"model": {"lora_scale": 0.25}},
        {"stream": {"prompt": "quite another person"}},
        {"audio": {"lookahead_s": 0.48}},
    ):
        graph = Graph.from_profile(with_values(profile, values), mode="render", audio=speech)
        frames = np.stack(list(render_in_process(graph, samples)))
        assert not np.array_equal(frames, oracle[: len(frames)]), values
    graph = Graph.from_profile(profile, mode="render", audio=speech)
    silent = np.stack(list(render_in_process(graph, np.zeros_like(samples))))
    assert not np.array_equal(silent, oracle[:24])


_SIZE = {"width": 96, "height": 64}


def test_what_does_not_fit_is_said_in_one_line(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"absent\.pth"):
        build_decoder(settings_of(DecoderSettings, weights, light_decoder="absent.pth", **_SIZE))
    tiny = load_profile("tiny").model.checkpoint
    with pytest.raises(AssemblyError, match=r"a light decoder .* is for Wan's latents only"):
        build_decoder(settings_of(DecoderSettings, tiny, light_decoder=LIGHT_DECODER, **_SIZE))
    with pytest.raises(AssemblyError, match=r"offload_layers: expected 0, or 3 to 4 .* got 5"):
        _offloading_stage(weights, 5)


def test_a_stage_has_its_offloaded_layers_for_itself(weights: Path) -> None:
    """Two threads that shared the buffers would find each other's layers in them."""
    assert _offloading_stage(weights, 3)._model is not _offloading_stage(weights, 3)._model
    assert _offloading_stage(weights, 0)._model is _offloading_stage(weights, 0)._model


def _offloading_stage(weights: Path, count: int) -> Stage:
    return build_stage(_one_step(weights, offload_layers=count))


def _one_step(weights: Path, **values: Any) -> DenoiserSettings:
    return settings_of(
        DenoiserSettings, weights, sigmas=[1.0, 0.0], past_blocks=3, **_SIZE, **values
    )


_BUILDS: dict[str, tuple[set[str], Callable[[Path], object]]] = {
    "denoiser": (
        {"diffusion_pytorch_model*", LORA},
        lambda folder: build_stage(_one_step(folder, lora=LORA)),
    ),
    "decoder": (
        {VIDEO_VAE},
        lambda folder: build_decoder(settings_of(DecoderSettings, folder, **_SIZE)),
    ),
    "light decoder": (
        {VIDEO_VAE, LIGHT_DECODER},
        lambda folder: build_decoder(
            settings_of(DecoderSettings, folder, **_SIZE, light_decoder=LIGHT_DECODER)
        ),
    ),
    "audio features": (
        {AUDIO_MODEL},
        lambda folder: build_features(settings_of(FeatureSettings, folder)),
    ),
    "prompts": (
        {TEXT_ENCODER, "google"},
        lambda folder: PromptEncoder(settings_of(PromptSettings, folder)),
    ),
}


@pytest.mark.parametrize("part", _BUILDS)
def test_each_node_reads_its_own_files(weights: Path, tmp_path: Path, part: str) -> None:
    """A denoiser needs no text encoder, no audio model and no video decoder; and so on."""
    needed, build = _BUILDS[part]
    for pattern in {"config.json", *needed}:
        for file in weights.glob(pattern):
            (tmp_path / file.name).symlink_to(file)
    build(tmp_path)
