"""The inbox: any order in, block order out, bounded, with a reason for each rejection."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress

import pytest
import torch
from support.streams import (
    AUDIO,
    LATENT,
    TEXT_DIM,
    conditioning,
    epoch_start,
    prompt,
    random_tensor,
    reference,
)

from avatar_nodes.block.block import (
    BlockContext,
    BlockLatent,
    EpochStart,
    Memory,
    Prompt,
    Sink,
)
from avatar_nodes.denoising.prompts import KNOWN_LIMIT
from avatar_nodes.denoising.stage_inbox import Arrival, BlockWork, StageInbox, Work
from avatar_nodes.errors.refused_error import LeftoverError, RefusedError

MEMORY = (4, 16)


def _inbox(
    first_step: int = 1, limit: int = 8, memory: tuple[int, int] | None = MEMORY
) -> StageInbox:
    return StageInbox(
        first_step=first_step,
        latent_shape=LATENT,
        sink_shape=(4, 1, 8, 8),
        audio_shape=AUDIO,
        text_dim=TEXT_DIM,
        memory_shape=memory,
        limit=limit,
    )


def _latent(block: int, epoch: int = 1, step: int = 1) -> BlockLatent:
    return BlockLatent(epoch, block, step, random_tensor(block, LATENT))


def _refusal(inbox: StageInbox, arrival: Arrival) -> str:
    with pytest.raises(RefusedError) as refused:
        inbox.offer(arrival)
    return refused.value.reason


def _drain(inbox: StageInbox) -> list[Work]:
    return list(iter(inbox.take, None))


def _blocks(work: list[Work]) -> list[int]:
    return [w.conditioning.block for w in work if isinstance(w, BlockWork)]


def test_every_order_of_arrival_gives_the_same_blocks() -> None:
    arrivals: list[Arrival] = [
        epoch_start(),
        *(conditioning(n) for n in (0, 1)),
        *map(_latent, (0, 1)),
    ]
    for order in itertools.permutations(arrivals):
        inbox = _inbox()
        work: list[Work] = []
        for arrival in order:
            inbox.offer(arrival)
            work += _drain(inbox)
        assert isinstance(work[0], EpochStart)
        assert _blocks(work) == [0, 1]
        for block in work[1:]:
            assert isinstance(block, BlockWork) and block.latent is not None
            assert torch.equal(block.latent, _latent(block.conditioning.block).latent)
        assert inbox.depth == 0


def test_a_stage_that_makes_noise_waits_for_no_latent() -> None:
    inbox = _inbox(first_step=0)
    inbox.offer(epoch_start())
    inbox.offer(conditioning(0))
    assert _blocks(_drain(inbox)) == [0]
    assert _refusal(inbox, _latent(1, step=0)) == "latent for a stage that makes noise"


def test_a_block_waits_for_its_prompt_and_its_sink() -> None:
    inbox = _inbox(first_step=0)
    inbox.offer(epoch_start())
    inbox.offer(conditioning(0, prompt_id="wave", sink_version=1))
    inbox.offer(conditioning(1))
    assert _blocks(_drain(inbox)) == []
    own = Sink(1, random_tensor(5, (4, 1, 8, 8)), "wave", 1)
    inbox.offer(own)
    assert _drain(inbox) == [own]
    inbox.offer(prompt("wave"))
    work = _drain(inbox)
    assert isinstance(work[0], Prompt) and _blocks(work) == [0, 1]


def test_a_new_epoch_drops_the_old_one() -> None:
    inbox = _inbox()
    inbox.offer(epoch_start())
    for n in range(3):
        inbox.offer(conditioning(n))
        inbox.offer(conditioning(n, epoch=2))
    inbox.offer(_latent(0))
    inbox.offer(_latent(1, epoch=2))
    inbox.offer(epoch_start(2, first_block=1))
    work = _drain(inbox)
    assert [w.epoch for w in work if isinstance(w, EpochStart)] == [2]  # nothing needs 1 any more
    assert _blocks(work) == [1]
    assert _refusal(inbox, conditioning(3)) == "stale epoch"
    assert _refusal(inbox, _latent(3)) == "stale epoch"
    assert _refusal(inbox, epoch_start(2)) == "stale epoch start"


def test_prompts_of_an_epoch_that_was_overtaken_are_not_lost() -> None:
    inbox = _inbox(first_step=0)
    inbox.offer(epoch_start())
    inbox.offer(epoch_start(2, prompts=()))
    inbox.offer(conditioning(0, epoch=2))
    work = _drain(inbox)
    assert [type(w).__name__ for w in work] == ["Prompt", "Sink", "EpochStart", "BlockWork"]


def test_sinks_of_other_epochs_are_not_taken() -> None:
    inbox = _inbox(first_step=0)
    own = Sink(1, random_tensor(5, (4, 1, 8, 8)), "talk", 1)
    assert _refusal(inbox, own) == "sink of another epoch"
    inbox.offer(epoch_start())
    inbox.offer(own)
    inbox.offer(epoch_start(2))
    inbox.offer(conditioning(0, epoch=2, sink_version=1))
    assert _blocks(_drain(inbox)) == []  # version 1 of epoch 1 is not version 1 of epoch 2
    assert _refusal(inbox, own) == "sink of another epoch"


def test_the_reference_may_come_before_any_epoch() -> None:
    inbox = _inbox(first_step=0)
    inbox.offer(reference())
    inbox.offer(epoch_start(sink=None))
    inbox.offer(conditioning(0))
    work = _drain(inbox)
    assert [type(w).__name__ for w in work] == ["Sink", "EpochStart", "BlockWork"]


REFUSED: dict[str, Callable[[], Arrival]] = {
    "double block": lambda: conditioning(1),
    "block already taken": lambda: conditioning(0),
    "block too far ahead": lambda: conditioning(9),
    "latent of another step": lambda: _latent(1, step=2),
    "latent of a wrong shape": lambda: BlockLatent(1, 1, 1, torch.zeros(4, 3, 8)),
    "latent not finite float": lambda: BlockLatent(1, 1, 1, torch.full(LATENT, float("nan"))),
    "audio of a wrong shape": lambda: conditioning(2, audio=torch.zeros(1, 6, 12)),
    "audio not finite float": lambda: conditioning(2, audio=torch.zeros(AUDIO, dtype=torch.int32)),
    "prompt without an id": lambda: Prompt("", "talk", torch.zeros(3, TEXT_DIM)),
    "prompt states of a wrong shape": lambda: Prompt("a", "a", torch.zeros(3, 5)),
    "prompt states not finite float": lambda: Prompt(
        "a", "a", torch.full((3, TEXT_DIM), torch.inf)
    ),
    "sink of a wrong shape": lambda: Sink(1, torch.zeros(4, 3, 8, 8)),
    "sink version below 0": lambda: Sink(-1, torch.zeros(4, 1, 8, 8)),
    "epoch start: context without a sink": lambda: epoch_start(
        2, 1, sink=None, context=(BlockContext(0, "talk", torch.zeros(AUDIO), torch.zeros(LATENT)),)
    ),
    "epoch start: context blocks out of order": lambda: epoch_start(
        2, 5, context=(BlockContext(0, "talk", torch.zeros(AUDIO), torch.zeros(LATENT)),)
    ),
    "epoch start: context names an unknown prompt": lambda: epoch_start(
        2, 1, context=(BlockContext(0, "fly", torch.zeros(AUDIO), torch.zeros(LATENT)),)
    ),
    "epoch start: sink names an unknown prompt": lambda: epoch_start(
        2, 1, sink=reference("fly"),
        context=(BlockContext(0, "talk", torch.zeros(AUDIO), torch.zeros(LATENT)),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSED)
def test_a_refusal_has_a_reason_and_changes_nothing(reason: str) -> None:
    inbox = _inbox()
    inbox.offer(epoch_start())
    inbox.offer(conditioning(0))
    inbox.offer(_latent(0))
    assert _blocks(_drain(inbox)) == [0]
    inbox.offer(conditioning(1))
    assert _refusal(inbox, REFUSED[reason]()) == reason
    inbox.offer(_latent(1))
    assert _blocks(_drain(inbox)) == [1]


def test_what_waits_is_bounded() -> None:
    inbox = _inbox(limit=4)
    for n in range(100):
        for arrival in (
            conditioning(n, epoch=1 + n % 7), _latent(n, epoch=1 + n % 5), prompt(f"{n}"),
        ):  # fmt: skip
            with suppress(RefusedError):
                inbox.offer(arrival)
    assert inbox.depth <= 8
    assert _refusal(inbox, prompt("one more")) == "inbox full"
    assert _refusal(inbox, conditioning(100, epoch=7)) == "inbox full"
    inbox.clear()
    assert inbox.depth == 0 and inbox.take() is None


def test_a_future_epoch_that_fills_up_does_not_shut_out_the_present() -> None:
    inbox = _inbox(first_step=0, limit=4)
    inbox.offer(epoch_start())
    for n in range(20):
        with suppress(RefusedError):
            inbox.offer(conditioning(n, epoch=5))
    inbox.offer(conditioning(0))
    assert _blocks(_drain(inbox)) == [0]


def _memory(version: int, epoch: int = 1, frames: int = 2) -> Memory:
    tokens = random_tensor(version, (4 * frames, 16))
    return Memory(version, epoch, long=tokens, short=tokens[:4])


def test_a_block_waits_for_its_memory() -> None:
    inbox = _inbox(first_step=0)
    inbox.offer(epoch_start())
    inbox.offer(conditioning(0, memory_version=2))
    inbox.offer(_memory(1))
    assert _blocks(_drain(inbox)) == []
    inbox.offer(_memory(2))
    work = _drain(inbox)
    assert isinstance(work[0], Memory) and _blocks(work) == [0]


def test_memory_belongs_to_its_epoch() -> None:
    inbox = _inbox(first_step=0)
    inbox.offer(epoch_start())
    inbox.offer(_memory(1))
    inbox.offer(_memory(2, epoch=2))  # ahead of its epoch's start
    inbox.offer(epoch_start(2))
    inbox.offer(conditioning(0, epoch=2, memory_version=1))
    work = _drain(inbox)
    assert [w.version for w in work if isinstance(w, Memory)] == [2]
    assert _blocks(work) == []  # version 1 was of epoch 1
    assert _refusal(inbox, _memory(1)) == "stale memory"
    inbox.offer(_memory(1, epoch=2))
    assert _blocks(_drain(inbox)) == [0]


def test_malformed_memory_is_refused() -> None:
    inbox = _inbox()
    inbox.offer(epoch_start())
    good = random_tensor(1, (8, 16))
    broken = good.clone()
    broken[0, 0] = float("nan")
    refused = {
        "memory version below 1": Memory(0, 1, good, good),
        "memory of a wrong shape": Memory(1, 1, good[:3], good),
        "memory not finite float": Memory(1, 1, good, broken),
    }
    for reason, memory in refused.items():
        assert _refusal(inbox, memory) == reason
    assert _refusal(inbox, Memory(1, 1, good[:, :15], good)) == "memory of a wrong shape"
    assert (
        _refusal(_inbox(memory=None), Memory(1, 1, good, good))
        == "memory for a model without memory"
    )


def test_the_sink_s_prompt_is_remembered_however_many_come_after_it() -> None:
    """The stream's own sink bears the prompt of the first block, which may never come again."""
    inbox = _inbox(first_step=0)
    inbox.offer(epoch_start(prompts=(prompt("talk"),), sink=reference("talk")))
    last = KNOWN_LIMIT + 5
    for n in range(last):
        inbox.offer(prompt(f"prompt {n}"))
        inbox.offer(conditioning(n, prompt_id=f"prompt {n}"))
        assert _blocks(_drain(inbox)) == [n]
    known = f"prompt {last - 1}"
    past = BlockContext(last - 1, known, random_tensor(1, AUDIO), random_tensor(2, LATENT))
    again = epoch_start(2, last, prompts=(prompt(known),), sink=reference("talk"), context=(past,))
    inbox.offer(again)


def test_what_an_epoch_leaves_over_is_told_from_what_is_wrong() -> None:
    inbox = _inbox()
    inbox.offer(epoch_start(2))
    for leftover in (epoch_start(2), conditioning(0, epoch=1), _latent(0, epoch=1), _memory(1)):
        with pytest.raises(LeftoverError):
            inbox.offer(leftover)
    with pytest.raises(RefusedError) as wrong:
        inbox.offer(_latent(0, epoch=2, step=3))
    assert not isinstance(wrong.value, LeftoverError)
    assert str(wrong.value) == "latent of another step: step 3, not 1"


def test_a_prompt_is_not_forgotten_while_a_block_waits_for_it() -> None:
    inbox = _inbox(first_step=1)
    inbox.offer(epoch_start())
    inbox.offer(prompt("wave"))
    inbox.offer(conditioning(0, prompt_id="wave"))
    _drain(inbox)
    for number in range(3 * KNOWN_LIMIT):
        inbox.offer(prompt(f"prompt {number}"))
        _drain(inbox)
    inbox.offer(_latent(0))
    *again, block = _drain(inbox)
    ids = [work.id for work in again if isinstance(work, Prompt)]
    assert ids == ["talk", "wave"], "the stage has them no more"
    assert isinstance(block, BlockWork) and block.conditioning.prompt_id == "wave"


def test_blocks_of_an_epoch_far_ahead_make_room_for_the_next() -> None:
    inbox = _inbox(first_step=0)
    for number in range(100):
        with suppress(RefusedError):
            inbox.offer(conditioning(0, epoch=1000 - number))
    inbox.offer(epoch_start(901))
    assert _blocks(_drain(inbox)) == [0]
