"""Works out from which block a new epoch goes on, and with which sink and past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from avatar_nodes.block.block import EpochStart, Prompt, Sink
from avatar_nodes.conducting.block_ledger import BlockLedger


class StreamPosition:
    """How far the stream has come, as the presenter tells it.

    Args:
        stream_start: the stream's very first block.
    """

    def __init__(self, stream_start: int) -> None:
        self.stream_start = stream_start
        self.taken = stream_start - 1
        """The last block that the presenter has taken, every one before it included."""
        self.begun = stream_start - 1
        """The last block of which a frame was shown."""

    def credit(self, presented_block: int, queue_depth: int) -> bool:
        """Take a credit; false: it tells of an earlier position (a presenter that starts anew)."""
        if presented_block < self.taken:
            return False
        self.taken = presented_block
        self.begun = max(self.begun, presented_block - queue_depth)
        return True

    def restart(self) -> None:
        """Another stream begins with the next block."""
        self.stream_start = self.next_block

    def presenter_lost(self) -> None:
        """What it had taken and not shown must be made again; if that was of the stream before, the
        present one begins with it."""
        self.taken = self.begun
        self.stream_start = min(self.stream_start, self.next_block)

    @property
    def next_block(self) -> int:
        """The first block that has to be made (again)."""
        return self.taken + 1


def resume(
    *,
    epoch: int,
    first_block: int,
    stream_start: int,
    seed: int,
    ledger: BlockLedger,
    sinks: Mapping[int, Sink],
    prompts: Mapping[str, Prompt],
    prompt_id: str,
) -> EpochStart:
    """An epoch that goes on at `first_block`, from what is known.

    The stream's own sink (version 1) holds once block 0 was shown. Context blocks of a prompt that
    is not known any more, and all before them, are left out; so is the context while there is no
    sink. A sink whose prompt is not known is seen under that of the first block that attends to it:
    no stage could begin otherwise. The prompts of all blocks that will be issued again are told;
    that of `first_block` comes last.
    """
    sink = sinks.get(1) if first_block > stream_start else None
    sink = sink or sinks.get(0)
    context = ledger.context(first_block) if sink is not None else []
    while any(past.prompt_id not in prompts for past in context):
        context = context[1:]
    used = dict.fromkeys(past.prompt_id for past in context)
    if sink is not None and sink.prompt_id in prompts:
        used[sink.prompt_id] = None
    elif sink is not None and sink.prompt_id:
        sink = replace(sink, prompt_id="")
    to_come = (issued.prompt_id for issued in ledger.issued_from(first_block))
    used |= dict.fromkeys(name for name in (*to_come, prompt_id) if name in prompts)
    again = ledger.issued(first_block)
    first_prompt = again.prompt_id if again and again.prompt_id in prompts else prompt_id
    used.pop(first_prompt, None)
    return EpochStart(
        epoch=epoch,
        first_block=first_block,
        seed=seed,
        sink=sink,
        prompts=tuple(prompts[name] for name in [*used, first_prompt]),
        context=tuple(context),
        stream_start=stream_start,
    )
