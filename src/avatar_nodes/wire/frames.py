"""avatar_msgs/FrameBlock <-> pictures of a block. Without torch: its users start fast."""

from __future__ import annotations

import numpy as np

from avatar_msgs import msg as m
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.wire.limits import block_number, epoch_number

_MAX_FRAMES = 256
_LARGEST_SIDE = 16384


def frames_to_msg(
    frames: np.ndarray, *, epoch: int, block: int, first_frame: int = 0,
    block_frames: int | None = None,
) -> m.FrameBlock:  # fmt: skip
    """Pictures of a block, uint8 RGB [n, H, W, 3]: from `first_frame` on, of `block_frames`
    (default: these are the last). Header left empty.
    """
    count, height, width, _ = frames.shape
    msg = m.FrameBlock(
        epoch=epoch, block=block, height=height, width=width, count=count, encoding="rgb8",
        first_frame=first_frame,
        block_frames=first_frame + count if block_frames is None else block_frames,
    )  # fmt: skip
    msg.data.frombytes(np.ascontiguousarray(frames).data.cast("B"))
    return msg


def frames_from_msg(
    msg: m.FrameBlock, *, height: int | None = None, width: int | None = None
) -> np.ndarray:
    """uint8 RGB [n, H, W, 3]; it shares the message's memory.

    Raises:
        RefusedError: `epoch`, `block`, `encoding`, `size` (not the expected one, or none at all)
            or `length`.
    """
    epoch_number(msg.epoch)
    block_number(msg.block)
    if msg.encoding != "rgb8":
        raise RefusedError("encoding", f"frames in '{msg.encoding[:32]}', expected rgb8")
    sides = sorted((msg.height, msg.width))
    within = 0 < msg.count <= msg.block_frames - msg.first_frame <= _MAX_FRAMES
    sensible = within and 0 < sides[0] <= sides[1] <= _LARGEST_SIDE
    if not sensible or height not in (None, msg.height) or width not in (None, msg.width):
        place = f"from {msg.first_frame} of {msg.block_frames}"
        raise RefusedError("size", f"{msg.count} frames of {msg.width}x{msg.height} {place}")
    shape = (msg.count, msg.height, msg.width, 3)
    if len(msg.data) != msg.count * msg.height * msg.width * 3:
        raise RefusedError("length", f"{len(msg.data)} bytes for frames {list(shape)}")
    return np.frombuffer(msg.data, np.uint8).reshape(shape)
