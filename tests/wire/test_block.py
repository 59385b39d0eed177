"""What travels with a block comes out of its message as it went in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("rclpy", reason="no ROS here")

from rclpy.serialization import deserialize_message, serialize_message
from support.streams import conditioning, epoch_start, prompt, random_tensor, reference

from avatar_msgs import msg as m
from avatar_nodes.block.block import BlockContext, BlockLatent, Sink
from avatar_nodes.conducting.block_ledger import IssuedBlock
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.wire import block as wire


def sent(msg: object) -> object:
    return deserialize_message(serialize_message(msg), type(msg))


def test_prompt_and_sink() -> None:
    back = wire.prompt_from_msg(sent(wire.prompt_to_msg(prompt("wink"))))
    assert (back.id, back.text) == ("wink", "wink")
    assert torch.equal(back.states, prompt("wink").states)
    sink = Sink(1, random_tensor(1, (4, 1, 8, 8)), "wink", 2**40)
    received = wire.sink_from_msg(sent(wire.sink_to_msg(sink)))
    assert (received.version, received.prompt_id, received.epoch) == (1, "wink", 2**40)
    assert torch.equal(received.latent, sink.latent) and received.picture is None


def test_a_sink_takes_the_reference_picture_along() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    msg = wire.sink_to_msg(Sink(0, random_tensor(1, (4, 1, 8, 8)), picture=picture))
    received = wire.sink_from_msg(sent(msg))
    assert received.picture is not None and np.array_equal(received.picture, picture)
    msg.picture_height = 2**32 - 1
    with pytest.raises(RefusedError) as error:
        wire.sink_from_msg(msg)
    assert error.value.reason == "picture"


def test_latent() -> None:
    block = BlockLatent(2**40, 2**40, 3, random_tensor(2, (4, 3, 8, 8)))
    msg = sent(wire.latent_to_msg(block, sigma=0.25))
    back = wire.latent_from_msg(msg)
    assert (back.epoch, back.block, back.step, msg.sigma) == (2**40, 2**40, 3, 0.25)  # type: ignore[attr-defined]
    assert torch.equal(back.latent, block.latent)
    for sigma in (-0.1, 1.1, float("nan")):
        with pytest.raises(RefusedError) as error:
            wire.latent_from_msg(wire.latent_to_msg(block, sigma=sigma))
        assert error.value.reason == "sigma"


def test_conditioning_and_its_sound() -> None:
    issued = IssuedBlock(
        block=7, prompt_id="talk", features=random_tensor(3, (1, 6, 17)),
        samples=np.arange(100, dtype=np.int16), stream="s", first_sample=5,
        next_sample=99, last=True, cache_switch=True,
    )  # fmt: skip
    msg = sent(
        wire.conditioning_to_msg(
            issued, epoch=2, seed=2**63, sink_version=1, sample_rate=16000, memory_version=9
        )
    )
    model = wire.conditioning_from_msg(msg)
    assert (model.epoch, model.block, model.seed, model.sink_version) == (2, 7, 2**63, 1)
    assert torch.equal(model.audio, issued.features)
    assert model.cache_switch and model.memory_version == 9
    back = wire.issued_from_msg(msg, sample_rate=16000)
    assert np.array_equal(back.samples, issued.samples)
    assert (back.stream, back.first_sample, back.next_sample, back.last) == ("s", 5, 99, True)
    assert (back.block, back.prompt_id, back.cache_switch) == (7, "talk", True)


def test_epoch() -> None:
    past = BlockContext(4, "talk", conditioning(4).audio, random_tensor(5, (4, 3, 8, 8)))
    start = epoch_start(
        9, 5, context=(past,), prompts=(prompt("talk"), prompt("wave")), stream_start=2
    )
    back = wire.epoch_from_msg(sent(wire.epoch_to_msg(start)))
    assert (back.epoch, back.first_block, back.seed, back.stream_start) == (9, 5, start.seed, 2)
    assert [entry.id for entry in back.prompts] == ["talk", "wave"]
    assert back.sink is not None
    assert torch.equal(back.sink.latent, reference().latent)
    assert (back.context[0].block, back.context[0].prompt_id) == (4, "talk")
    assert torch.equal(back.context[0].latent, past.latent)
    assert torch.equal(back.context[0].audio, past.audio)


def test_an_epoch_without_a_sink_and_an_impossible_one() -> None:
    msg = wire.epoch_to_msg(epoch_start(9, 5, sink=None))
    assert wire.epoch_from_msg(sent(msg)).sink is None
    with pytest.raises(RefusedError) as error:
        wire.epoch_from_msg(m.EpochStart(epoch=1, first_block=3, stream_start=4))
    assert error.value.reason == "order"
    with pytest.raises(RefusedError) as error:
        wire.epoch_from_msg(m.EpochStart(context=[m.BlockContext()] * 100))
    assert error.value.reason == "size"


@pytest.mark.parametrize(
    "read",
    [wire.prompt_from_msg, wire.sink_from_msg, wire.latent_from_msg, wire.conditioning_from_msg],
)
def test_an_empty_message_is_refused(read: object) -> None:
    kinds = {
        wire.prompt_from_msg: m.Prompt,
        wire.sink_from_msg: m.SinkFrame,
        wire.latent_from_msg: m.LatentBlock,
        wire.conditioning_from_msg: m.BlockConditioning,
    }
    with pytest.raises(RefusedError):
        read(kinds[read]())  # type: ignore[operator, index]
