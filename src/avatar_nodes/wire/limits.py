"""Numbers and texts of messages, checked where they are read: what is computed of them fits into a
message again, whoever sent them."""

from __future__ import annotations

from avatar_msgs.msg import EpochStart
from avatar_nodes.conducting.turn_numbers import check_epoch, unix_ms
from avatar_nodes.errors.refused_error import RefusedError

HIGHEST_BLOCK = 2**40
"""16,000 years of stream."""
HIGHEST_SAMPLE = 2**52
"""Of one stream; floats count exactly up to it."""
LONGEST_TEXT = 16_384
"""Characters of a sentence, an utterance or a prompt."""


def epoch_number(epoch: int) -> int:
    """Raises RefusedError: `epoch`, none that can be now."""
    check_epoch(epoch, unix_ms())
    return epoch


def block_number(block: int) -> int:
    """Raises RefusedError: `block`, below -1 (none yet) or beyond HIGHEST_BLOCK."""
    if not -1 <= block <= HIGHEST_BLOCK:
        raise RefusedError("block", f"block {block}, at most {HIGHEST_BLOCK}")
    return block


def check_epoch_numbers(msg: EpochStart) -> None:
    """Raises RefusedError: `epoch`, `block` or `order`."""
    epoch_number(msg.epoch)
    block_number(msg.first_block)
    if msg.first_block < msg.stream_start:
        raise RefusedError("order", f"block {msg.first_block} of a stream from {msg.stream_start}")


def sample_index(sample: int) -> int:
    """Raises RefusedError: `index`, beyond HIGHEST_SAMPLE."""
    if sample > HIGHEST_SAMPLE:
        raise RefusedError("index", f"sample {sample}, at most {HIGHEST_SAMPLE}")
    return sample


def duration_s(seconds: float) -> float:
    """Raises RefusedError: `duration`, below 0, no number, or longer than a day."""
    if not 0.0 <= seconds <= 86_400.0:
        raise RefusedError("duration", f"{seconds:g} s, expected 0 to 86400")
    return seconds


def text_of(text: str) -> str:
    """Raises RefusedError: `text`, longer than LONGEST_TEXT."""
    if len(text) > LONGEST_TEXT:
        raise RefusedError("text", f"{len(text)} characters, at most {LONGEST_TEXT}")
    return text
