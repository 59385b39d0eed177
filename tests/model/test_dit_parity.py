"""The transformer against the public implementation: whole clips, and what happens inside."""

from __future__ import annotations

import pytest
import torch
from support import golden
from torch import Tensor
from torch.testing import assert_close

from avatar_nodes.model.bidirectional import FullSequence
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.rope import rope_angles

CASES = ("a_first_clip", "b_motion", "c_pose_short_motion")


def _arguments(case: str) -> dict[str, Tensor | None]:
    inputs = golden.load(f"dit_s2v/inputs_{case}")
    return {
        "x": inputs["x"][None],
        "t": inputs["t"],
        "context": inputs["context"][None],
        "ref_latents": inputs["ref_latents"],
        "audio_input": inputs["audio_input"],
        "motion_latents": None if case == "a_first_clip" else inputs["motion_latents"],
        "cond_states": inputs["cond_states"],
    }


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_velocity(reference_model: WanS2V, case: str) -> None:
    velocity = reference_model(**_arguments(case))[0]
    expected = golden.load(f"dit_s2v/output_{case}")["velocity"]
    assert_close(velocity, expected, atol=5e-5, rtol=0)


@torch.no_grad()
def test_no_pose_is_a_zero_pose(reference_model: WanS2V) -> None:
    arguments = _arguments("b_motion")
    arguments["cond_states"] = None
    expected = golden.load("dit_s2v/output_b_motion")["velocity"]
    assert_close(reference_model(**arguments)[0], expected, atol=5e-5, rtol=0)


@pytest.fixture(scope="module")
def sequence(reference_model: WanS2V) -> FullSequence:
    with torch.no_grad():
        return reference_model.full_sequence(**_arguments("b_motion"))


@pytest.fixture(scope="module")
def taps() -> dict[str, Tensor]:
    return golden.load("dit_s2v/taps_b_motion")


def test_embedded_tokens(sequence: FullSequence, taps: dict[str, Tensor]) -> None:
    assert_close(sequence.tokens, taps["tokens_in"], atol=1e-5, rtol=0)
    assert torch.equal(sequence.mask_rows, taps["cond_mask_ids"])


def test_positions_and_rotations(sequence: FullSequence, taps: dict[str, Tensor]) -> None:
    assert torch.equal(sequence.positions, taps["rope_pos"])
    angles = rope_angles(sequence.positions, head_dim=32)
    assert_close(angles.cos(), taps["rope_cos"], atol=1e-12, rtol=0)
    assert_close(angles.sin(), taps["rope_sin"], atol=1e-12, rtol=0)
    assert_close(sequence.rope.cos[:, 0], taps["rope_cos"].float())


def test_time(sequence: FullSequence, taps: dict[str, Tensor]) -> None:
    assert_close(sequence.time.embedding, taps["time_e"], atol=1e-5, rtol=0)
    assert_close(sequence.time_rows.transpose(1, 2), taps["time_e0"], atol=1e-5, rtol=0)


@torch.no_grad()
def test_text_is_padded_and_embedded(
    reference_model: WanS2V, sequence: FullSequence, taps: dict[str, Tensor]
) -> None:
    for block, kv in zip(reference_model.blocks, sequence.text.layers, strict=True):
        expected = block.cross_attn.keys_values(taps["context_emb"])
        assert_close(kv.k, expected.k, atol=1e-5, rtol=0)
        assert_close(kv.v, expected.v, atol=1e-5, rtol=0)


def test_audio_tokens(sequence: FullSequence, taps: dict[str, Tensor]) -> None:
    assert_close(sequence.audio.local, taps["audio_local"], atol=1e-5, rtol=0)
    assert_close(sequence.audio.whole, taps["audio_global"], atol=1e-5, rtol=0)


@torch.no_grad()
def test_every_layer(
    reference_model: WanS2V, sequence: FullSequence, taps: dict[str, Tensor]
) -> None:
    outputs = [parts.joined() for parts in reference_model.layer_parts(sequence)]
    assert len(outputs) == 4
    for index, hidden in enumerate(outputs):
        assert_close(hidden, taps[f"block_out_{index}"], atol=5e-5, rtol=0)


@torch.no_grad()
def test_serving_form_computes_the_same(reference_model: WanS2V) -> None:
    served = WanS2V(reference_model.config)
    served.load_state_dict(reference_model.state_dict())
    served.serving()
    expected = golden.load("dit_s2v/output_b_motion")["velocity"]
    assert_close(served(**_arguments("b_motion"))[0], expected, atol=5e-5, rtol=0)
