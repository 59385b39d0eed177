"""Training on a folder as Wan2.2-S2V is published, small: encode, causal, distill, serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.settings import settings_of
from torch import Tensor

from avatar_nodes.conducting.build import PromptEncoder, build_features
from avatar_nodes.conducting.settings import FeatureSettings, PromptSettings
from avatar_nodes.decoding.build import build_decoder
from avatar_nodes.decoding.settings import DecoderSettings
from avatar_nodes.denoising.build import build_stage
from avatar_nodes.denoising.settings import DenoiserSettings
from avatar_nodes.pipeline.assembly import build_pipeline

pytest.importorskip("diffusers", reason="needs the packages of requirements/large.txt")

from support.processes import on_two_processes
from support.published_run import BLOCKS, HEIGHT, PROMPTS, WIDTH, write_published_run
from support.train_published import command, train_published

from avatar_nodes.block.block import BlockConditioning, Prompt
from avatar_nodes.decoding.decoder import StreamingDecoder
from avatar_nodes.model.checkpoint import WEIGHTS, CheckpointError, load_checkpoint
from avatar_nodes.model.heavy_layers import is_heavy
from avatar_nodes.model.wan_folder import is_published_wan
from avatar_nodes.pipeline.pipeline import Pipeline
from avatar_nodes.profile import load_profile
from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.data.shards.clips import ShardClip, ShardClips
from avatar_nodes.training.recipe import RecipeError, read_recipe
from avatar_nodes.training.transformer.lora import LORA, LowRank
from avatar_nodes.training.transformer.talking_model import TalkingModel

SIZE = {"width": WIDTH, "height": HEIGHT}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_published_run(tmp_path_factory.mktemp("published") / "data")


@pytest.fixture(scope="module")
def clip(data: Path) -> ShardClip:
    return next(iter(ShardClips(data / "run" / "shards", "train")))


@pytest.fixture(scope="module")
def encoded(data: Path, clip: ShardClip) -> dict[str, np.ndarray]:
    return dict(np.load(data / "run" / "encoded" / f"{clip.key}.npz"))


@pytest.fixture(scope="module")
def trained(data: Path) -> tuple[Path, list[dict[str, float]]]:
    """A run of one process, and its figures."""
    return data / "one", train_published(data, data / "one")


def _weights(data: Path) -> Path:
    return data / "weights"


# Encoding.


@torch.inference_mode()
def test_latents_are_what_the_stream_decodes(
    data: Path, clip: ShardClip, encoded: dict[str, np.ndarray]
) -> None:
    """The reference is a stream's first latent, every one after it four frames."""
    from avatar_nodes.model.wan_vae import load_wan_vae

    assert encoded["latents"].shape == (3 * BLOCKS, 16, HEIGHT // 8, WIDTH // 8)
    assert encoded["mouth"].shape == (3 * BLOCKS, HEIGHT // 8, WIDTH // 8)
    assert encoded["mouth"][0].sum() == 3 * 2  # rows 24..48, columns 40..56 of pixels
    decoder = build_decoder(settings_of(DecoderSettings, _weights(data), **SIZE))
    sink = decoder.encode_reference(clip.reference).numpy()
    assert np.array_equal(encoded["reference"], sink.swapaxes(0, 1).astype(np.float16))
    seen = np.concatenate([clip.reference[None], clip.frames()[:24]])
    video = torch.from_numpy(seen).permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
    vae = load_wan_vae(_weights(data) / "Wan2.1_VAE.pth")
    expected = vae.encode(video[None])[0].numpy()
    assert np.array_equal(encoded["latents"][:6], expected[1:].astype(np.float16))
    assert np.array_equal(encoded["reference"], expected[:1].astype(np.float16))
    decoder.reset()
    decoder.decode(torch.from_numpy(encoded["reference"]).float().swapaxes(0, 1))
    block = torch.from_numpy(encoded["latents"][:3]).float().swapaxes(0, 1)
    assert decoder.decode(block).shape == (12, HEIGHT, WIDTH, 3)


class _Listening:
    """A stage that keeps what it is to hear."""

    steps = (0,)

    def __init__(self) -> None:
        self.heard: list[Tensor] = []

    def start_epoch(self, start: Any) -> None: ...

    def set_sink(self, sink: Any) -> None: ...

    def process(self, conditioning: BlockConditioning, latent: Tensor | None) -> Tensor:
        self.heard.append(conditioning.audio)
        return torch.zeros(16, 3, HEIGHT // 8, WIDTH // 8)


class _Blind:
    """A decoder that shows nothing."""

    needs_sink = False
    sink_frames = 1
    looks_at_reference = False

    def look_at(self, picture: np.ndarray) -> None: ...

    def reset(self) -> None: ...

    def begin(self, sink: torch.Tensor) -> None: ...

    def decode(self, latent: Tensor) -> np.ndarray:
        return np.zeros((4 * latent.shape[1], HEIGHT, WIDTH, 3), np.uint8)

    def encode_reference(self, image: np.ndarray) -> Tensor:
        return torch.zeros(16, 1, HEIGHT // 8, WIDTH // 8)


def test_columns_are_those_of_the_stream(
    data: Path, clip: ShardClip, encoded: dict[str, np.ndarray]
) -> None:
    stage, blind = _Listening(), _Blind()
    stages: Sequence[Any] = [stage]
    decoder: StreamingDecoder = blind
    pipeline = Pipeline(
        stages, decoder, build_features(settings_of(FeatureSettings, _weights(data))), past_blocks=1
    )
    pipeline.start(clip.reference, Prompt("p", "p", torch.zeros(1, 8)))
    frames = list(pipeline.render(np.round(clip.sound * 32767).astype(np.int16)))
    assert len(frames) == BLOCKS
    live = torch.stack(stage.heard).numpy()
    assert live.shape == (BLOCKS, 25, 32, 17)
    assert np.array_equal(encoded["columns"], live.astype(np.float16))
    clips = EncodedClips(data / "run" / "encoded", "train")
    window = clips.audio(0, 1, 2)
    assert np.array_equal(window, encoded["columns"][1:3].astype(np.float32))
    # what is heard of a louder sound is not the same, moved
    assert np.array_equal(clips.audio(0, 1, 2, gain=0.2), window)


# Training.


def test_it_leaves_adapters_over_the_published_weights(
    data: Path, trained: tuple[Path, list[dict[str, float]]]
) -> None:
    run, figures = trained
    assert len(figures) == 2 + 2
    for stage in ("causal", "distill"):
        export = run / stage / "export"
        assert [path.name for path in export.iterdir()] == [LORA]
        adapters = load_file(export / LORA)
        assert len(adapters) == 2 * 44
        assert any(x.any() for name, x in adapters.items() if ".lora_B." in name)
    first, then = (load_file(run / stage / "export" / LORA) for stage in ("causal", "distill"))
    assert first.keys() == then.keys()
    assert any(not torch.equal(first[name], then[name]) for name in first)


def test_a_state_holds_nothing_that_does_not_move(
    trained: tuple[Path, list[dict[str, float]]],
) -> None:
    run, _ = trained
    for stage, parts in (("causal", ("model",)), ("distill", ("generator", "fake"))):
        state = torch.load(run / stage / "state.pt")
        for part in (*parts, "average"):
            assert state[part] and all(".lora_" in name for name in state[part])


def test_two_processes_give_the_losses_of_one(
    data: Path, trained: tuple[Path, list[dict[str, float]]]
) -> None:
    run, one = trained
    two = on_two_processes("train_published.py", data, data / "two")
    assert len(two) == len(one)
    for step, (a, b) in enumerate(zip(one, two, strict=True)):
        assert a.keys() == b.keys()
        for name, value in a.items():
            assert b[name] == pytest.approx(value, rel=5e-3, abs=1e-6), f"step {step}: {name}"
    for stage in ("causal", "distill"):
        mine, theirs = (load_file(p / stage / "export" / LORA) for p in (run, data / "two"))
        assert mine.keys() == theirs.keys()
        saved = torch.load(data / "two" / stage / "state.pt")
        assert all(".lora_" in name for name in saved["average"])


def test_resumed_training_gives_the_same_adapters_bit_for_bit(data: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "encoded").symlink_to(data / "run" / "encoded")
    recipe = tmp_path / "recipe.yaml"
    text = (data / "recipe.yaml").read_text()
    for stage in ("causal", "distill"):
        recipe.write_text(text)
        command(stage, recipe, tmp_path / "run")
        whole = load_file(tmp_path / "run" / stage / "export" / LORA)
        states = [torch.load(tmp_path / "run" / stage / "state.pt")]
        (tmp_path / "run" / stage / "state.pt").unlink()
        recipe.write_text(text.replace("  steps: 2\n", "  steps: 2\n  minutes: 0.0\n"))
        for _ in range(2):  # one step, then out of time
            command(stage, recipe, tmp_path / "run", "--resume")
        states.append(torch.load(tmp_path / "run" / stage / "state.pt"))
        again = load_file(tmp_path / "run" / stage / "export" / LORA)
        assert whole.keys() == again.keys()
        assert all(torch.equal(whole[name], again[name]) for name in whole)
        first, second = (state["average"] for state in states)
        assert all(torch.equal(first[name], second[name]) for name in first)


# Serving.


def test_what_it_leaves_is_served_over_the_published_folder(
    data: Path, trained: tuple[Path, list[dict[str, float]]], tmp_path: Path
) -> None:
    run, _ = trained
    out = tmp_path / "avatar"
    command("assemble", data / "recipe.yaml", run, "--out", str(out))
    assert sorted(path.name for path in out.iterdir()) == [LORA, "profile.yaml"]
    profile = load_profile(out / "profile.yaml")
    model, video = profile.model, profile.video
    assert (model.checkpoint, model.lora) == (str(_weights(data)), str(out / LORA))
    assert (model.lora_scale, model.sigmas) == (0.5, [1.0, 0.9, 0.5, 0.0])
    assert [one.steps for one in profile.placement.denoisers] == [[0, 1, 2]]
    assert (video.width, video.height, model.past_blocks) == (WIDTH, HEIGHT, 3)
    assert model.aas_from_block == 1
    assert not (model.motion_tokens or model.nearest_sink), "it was trained without"
    assert (model.reference_latent, model.decoder_start) == ("first", "reference")
    assert (profile.audio.loudness, profile.audio.context_columns) == ("window", "heard")
    (place,) = profile.placement.denoisers
    stage = DenoiserSettings.of(profile, place, dtype="float32", device="cpu")
    pipeline = build_pipeline(
        [stage],
        DecoderSettings.of(profile, dtype="float32", device="cpu"),
        FeatureSettings(checkpoint=model.checkpoint),
    )
    prompt = PromptEncoder(settings_of(PromptSettings, model.checkpoint)).encode(PROMPTS[0])
    pipeline.start(np.zeros((HEIGHT, WIDTH, 3), np.uint8), prompt)
    assert pipeline.render_block(np.zeros(7680, np.int16)).shape == (12, HEIGHT, WIDTH, 3)
    served = build_stage(stage)._model
    adapters = load_file(out / LORA)
    base = load_checkpoint(_weights(data)).get_parameter("blocks.1.ffn.2.weight")
    factors = (adapters[f"blocks.1.ffn.2.lora_{side}.default.weight"].float() for side in "AB")
    first, second = factors
    expected = base + 0.5 * second @ first
    assert not torch.equal(expected, base)
    torch.testing.assert_close(served.get_parameter("blocks.1.ffn.2.weight"), expected)


def test_whole_weights_become_a_published_folder(data: Path, tmp_path: Path) -> None:
    """Without adapters all weights are trained and written; adapters over these are merged in."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "encoded").symlink_to(data / "run" / "encoded")
    text = (data / "recipe.yaml").read_text().replace("  steps: 2\n", "  steps: 1\n")
    head, tail = text.split("distill:")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(head.replace("  lora: {rank: 4, alpha: 2}\n", "") + "distill:" + tail)
    command("causal", recipe, tmp_path / "run")
    command("distill", recipe, tmp_path / "run")
    causal, distilled = (
        load_file(tmp_path / "run" / stage / "export" / WEIGHTS) for stage in ("causal", "distill")
    )
    assert not any(name.startswith("frame_packer.") for name in causal)
    moved = {name for name in causal if not torch.equal(causal[name], distilled[name])}
    assert moved and all(is_heavy(name) for name in moved)
    out = tmp_path / "avatar"
    command("assemble", recipe, tmp_path / "run", "--out", str(out))
    model = load_profile(out / "profile.yaml").model
    assert (model.checkpoint, model.lora) == (str(out), "")
    assert is_published_wan(out)
    build_stage(settings_of(DenoiserSettings, out, sigmas=model.sigmas, past_blocks=3, **SIZE))
    build_decoder(settings_of(DecoderSettings, out, **SIZE))
    encoder = PromptEncoder(settings_of(PromptSettings, out))
    assert encoder.encode("Hello.").states.shape[1] == 4096
    assert build_features(settings_of(FeatureSettings, out)).lookahead_samples == 2560


def test_adapters_of_another_rank_are_refused(
    data: Path, trained: tuple[Path, list[dict[str, float]]]
) -> None:
    run, _ = trained
    published = read_recipe(data / "recipe.yaml").published
    export = run / "causal" / "export"
    with pytest.raises(CheckpointError, match="its rank is 4 and its alpha 2, the recipe has 8"):
        TalkingModel.load(export, adapters=LowRank(8, 2), published=published)
    merged = TalkingModel.load(export, published=published)  # trained on whole
    adapted = TalkingModel.load(export, adapters=LowRank(4, 2), published=published)
    name = "blocks.1.ffn.2"
    layer: Any = adapted.dit.get_submodule(name)
    first, second = (side["default"].weight for side in (layer.lora_A, layer.lora_B))
    stored = load_file(export / LORA)
    assert torch.equal(second, stored[f"{name}.lora_B.default.weight"].float())
    assert second.any()
    expected = layer.base_layer.weight + 0.5 * second @ first
    torch.testing.assert_close(merged.dit.get_submodule(name).weight, expected)


def test_a_recipe_with_weights_samples_nothing(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text((data / "recipe.yaml").read_text().replace("teacher:", "#"))
    with pytest.raises(RecipeError, match=r"teacher\.sample_every must be 0 with weights"):
        read_recipe(path)


@pytest.mark.parametrize("stage", ["compressor", "recall", "sharpen"])
def test_stages_of_the_tiny_model_say_so(data: Path, tmp_path: Path, stage: str) -> None:
    with pytest.raises(click.ClickException, match=f"{stage} is a stage of the tiny model"):
        command(stage, data / "recipe.yaml", tmp_path)


def test_a_folder_of_our_own_is_not_taken_for_a_published_one(data: Path, tmp_path: Path) -> None:
    recipe = read_recipe(data / "recipe.yaml")
    assert recipe.architecture.latent_shape == (16, HEIGHT // 8, WIDTH // 8)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        _ = replace(recipe, weights=tmp_path).architecture
    (tmp_path / "config.json").write_text('{"latent_shape": [16, 8, 12]}')
    with pytest.raises(CheckpointError, match=r"is no folder as Wan2\.2-S2V is published"):
        _ = replace(recipe, weights=tmp_path).architecture
