"""What a new epoch begins with: position, sink, prompts and past, from what is still known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from support.streams import random_tensor

from avatar_nodes.block.block import EpochStart, Prompt, Sink
from avatar_nodes.conducting.block_ledger import BlockLedger, IssuedBlock
from avatar_nodes.conducting.stream_resume import StreamPosition, resume

LATENT = random_tensor(1, (4, 3, 2, 2))
PROMPTS = {name: Prompt(name, name, random_tensor(2, (3, 4))) for name in ("talk", "wave")}
SINKS = {0: Sink(0, LATENT[:, :1], ""), 1: Sink(1, LATENT[:, :1], "talk", 7)}


def issued(block: int, prompt_id: str = "talk") -> IssuedBlock:
    samples = np.full(10, block, np.int16)
    return IssuedBlock(
        block=block, prompt_id=prompt_id, features=random_tensor(block, (1, 6, 17)),
        samples=samples, stream="s", first_sample=10 * block,
        next_sample=10 * block + 10, last=False,
    )  # fmt: skip


def ledger(blocks: range, *, clean: range | None = None, **prompts: str) -> BlockLedger:
    made = BlockLedger(window=2)
    for block in blocks:
        made.record(issued(block, prompts.get(f"b{block}", "talk")))
    for block in blocks if clean is None else clean:
        made.clean(block, LATENT + block)
    return made


def test_what_is_to_be_heard_no_more_is_issued_again_in_silence() -> None:
    of = ledger(range(3, 7))
    assert of.next_block == 7
    of.mute(6)
    of.mute(4)
    for block in (3, 4, 5):
        again, as_decided = of.again(block), of.issued(block)
        assert again is not None and as_decided is not None
        assert len(again.samples) == 10 and not again.samples.any()
        assert again.features is as_decided.features
        assert as_decided.samples.any(), "what a reply that goes on has to say again"
    assert of.again(6) is of.issued(6)
    assert of.again(7) is None
    assert [block.block for block in of.issued_from(5)] == [5, 6]


def begin(first_block: int, of: BlockLedger, **changes: object) -> EpochStart:
    values: dict[str, object] = {
        "epoch": 9, "stream_start": 0, "seed": 3, "sinks": SINKS, "prompts": PROMPTS,
        "prompt_id": "wave",
    }  # fmt: skip
    return resume(first_block=first_block, ledger=of, **{**values, **changes})  # type: ignore[arg-type]


class TestPosition:
    def test_taken_and_begun(self) -> None:
        position = StreamPosition(10)
        assert position.next_block == 10
        assert position.credit(13, 2)
        assert (position.taken, position.begun, position.next_block) == (13, 11, 14)
        position.presenter_lost()
        assert position.next_block == 12

    def test_a_presenter_that_starts_anew_does_not_set_it_back(self) -> None:
        position = StreamPosition(0)
        position.credit(5, 0)
        assert not position.credit(-1, 0)
        assert position.next_block == 6

    def test_another_stream_begins_with_the_next_block_or_with_what_was_lost(self) -> None:
        position = StreamPosition(0)
        position.credit(5, 2)
        position.restart()
        assert (position.stream_start, position.next_block) == (6, 6)
        position.presenter_lost()
        assert (position.stream_start, position.next_block) == (4, 4), "no block is left out"


class TestLedger:
    def test_context_ends_where_something_is_missing(self) -> None:
        assert [past.block for past in ledger(range(5)).context(5)] == [3, 4]
        assert [past.block for past in ledger(range(5), clean=range(4, 5)).context(5)] == [4]
        assert ledger(range(5)).context(7) == []

    def test_context_before_a_cache_switch_is_under_its_prompt(self) -> None:
        of = BlockLedger(window=4)
        prompts = ("talk", "talk", "wave", "wave", "nod", "nod")
        for block, prompt_id in enumerate(prompts):
            switch = prompt_id != prompts[max(0, block - 1)]
            of.record(replace(issued(block, prompt_id), cache_switch=switch))
            of.clean(block, LATENT)
        under = {before: [past.prompt_id for past in of.context(before)] for before in range(2, 7)}
        assert under == {
            2: ["talk", "talk"],
            3: ["wave"] * 3,
            4: ["wave"] * 4,
            5: ["nod"] * 4,
            6: ["nod"] * 4,
        }

    def test_past_sound(self) -> None:
        of = ledger(range(3))
        assert of.past_sound(3, 14).tolist() == [1] * 4 + [2] * 10
        assert of.past_sound(1, 14).tolist() == [0] * 14
        assert of.past_sound(2, 25).tolist() == [0] * 15 + [1] * 10

    def test_forgets_what_no_epoch_can_need(self) -> None:
        of = ledger(range(10))
        of.forget(8)
        assert of.issued(4) is None
        assert [past.block for past in of.context(8)] == [6, 7]


class TestResume:
    def test_goes_on_from_sink_and_window(self) -> None:
        start = begin(5, ledger(range(6), b4="wave", b5="wave"))
        assert (start.first_block, start.epoch) == (5, 9)
        assert start.sink is SINKS[1]
        assert [past.block for past in start.context] == [3, 4]
        assert [prompt.id for prompt in start.prompts] == ["talk", "wave"]

    def test_a_block_issued_again_keeps_its_prompt(self) -> None:
        assert begin(5, ledger(range(6))).prompts[-1].id == "talk"

    def test_the_stream_s_start_takes_the_reference(self) -> None:
        start = begin(0, ledger(range(1)))
        assert start.sink is SINKS[0]
        assert start.context == ()

    def test_context_of_an_unknown_prompt_is_left_out(self) -> None:
        start = begin(5, ledger(range(6), b3="gone"))
        assert [past.block for past in start.context] == [4]

    def test_without_a_sink_there_is_no_context(self) -> None:
        start = begin(5, ledger(range(6)), sinks={})
        assert (start.sink, start.context) == (None, ())


def test_a_sink_of_a_forgotten_prompt_is_seen_under_another() -> None:
    """Stages refuse an epoch whose sink names a prompt that they do not know."""
    known = {"wave": PROMPTS["wave"]}
    of = ledger(range(5), **{f"b{n}": "wave" for n in range(5)})
    start = begin(4, of, prompts=known)
    assert start.sink is not None and (start.sink.version, start.sink.prompt_id) == (1, "")
    assert [p.id for p in start.prompts] == ["wave"] and len(start.context) == 2
    kept = begin(4, of).sink
    assert kept is not None and kept.prompt_id == "talk"
