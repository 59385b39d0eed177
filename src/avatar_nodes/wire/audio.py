"""avatar_msgs/AudioChunk <-> int16 samples."""

from __future__ import annotations

import sys
from array import array

import numpy as np

from avatar_msgs.msg import AudioChunk, AudioDemand
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.wire.limits import sample_index

MAX_SAMPLES = 1 << 22

_LOWEST_RATE, _HIGHEST_RATE = 4000, 768_000
_LONGEST_S = 30.0
"""Of a chunk of a stream: whoever reads it is busy with it for so long at most, and in general for
a small part of that."""
_MOST_CHANNELS = 64

if array("h").itemsize != 2 or sys.byteorder != "little":
    raise ImportError("16-bit little endian samples are not this machine's own")


def audio_to_msg(
    samples: np.ndarray,
    *,
    stream: str,
    sample_rate: int,
    first_sample: int,
    end_of_stream: bool = False,
) -> AudioChunk:
    """A mono chunk of int16 samples [n]; header left empty."""
    msg = AudioChunk(
        stream=stream,
        sample_rate=sample_rate,
        channels=1,
        first_sample=first_sample,
        end_of_stream=end_of_stream,
    )
    if len(samples):
        msg.data.frombytes(np.ascontiguousarray(samples, np.int16).data.cast("B"))
    return msg


def check_demand(msg: AudioDemand) -> None:
    """Raises RefusedError: `index`; `order`, a limit before the next sample; `size`, more than a
    chunk may hold."""
    first, limit = msg.next_sample, sample_index(msg.limit_sample)
    if limit < first:
        raise RefusedError("order", f"limit {limit} before sample {first}")
    if limit - first > MAX_SAMPLES:
        raise RefusedError("size", f"{limit - first} samples demanded, at most {MAX_SAMPLES}")


def audio_from_msg(
    msg: AudioChunk, *, sample_rate: int | None = None, channels: int | None = None,
    longest_s: float = _LONGEST_S,
) -> np.ndarray:  # fmt: skip
    """The interleaved int16 samples [n * channels]; they share the message's memory.

    Args:
        sample_rate, channels: expected values; without them any sensible one is right.
        longest_s: how long it may last.

    Raises:
        RefusedError: `index`, `rate`, `channels`, `size` or `length` (no multiple of the
            channels).
    """
    sample_index(msg.first_sample)
    sensible = _LOWEST_RATE <= msg.sample_rate <= _HIGHEST_RATE
    if not sensible or sample_rate not in (None, msg.sample_rate):
        wanted = f", expected {sample_rate}" if sample_rate else ""
        raise RefusedError("rate", f"sound of {msg.sample_rate} Hz{wanted}")
    if not 0 < msg.channels <= _MOST_CHANNELS or channels not in (None, msg.channels):
        wanted = f", expected {channels}" if channels else ""
        raise RefusedError("channels", f"sound of {msg.channels} channels{wanted}")
    seconds = len(msg.data) / msg.channels / msg.sample_rate
    if seconds > longest_s:
        raise RefusedError("size", f"{seconds:.1f} s of sound, at most {longest_s:g}")
    if len(msg.data) > MAX_SAMPLES:
        raise RefusedError("size", f"{len(msg.data)} samples in one chunk, at most {MAX_SAMPLES}")
    if len(msg.data) % msg.channels:
        raise RefusedError(
            "length", f"{len(msg.data)} samples are no multiple of {msg.channels} channels"
        )
    return np.frombuffer(msg.data, np.int16) if len(msg.data) else np.zeros(0, np.int16)
