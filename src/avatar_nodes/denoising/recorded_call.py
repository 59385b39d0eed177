"""Calls that are recorded once and then replayed: CUDA graphs, where the device has them.

A recorded call reads and writes the very buffers that it had when it was recorded; to give it other
values, they are copied there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

Call = Callable[[], None]
CallRecorder = Callable[[Call], Call]
"""Makes the replay of a call. The call must have been made before, so that nothing is left to be
set up; recording does not make it again."""


def call_recorder_for(device: torch.device) -> CallRecorder:
    """The device's way to replay; on a CPU the call is simply made again."""
    return CudaGraphRecorder(device) if device.type == "cuda" else made_again


def made_again(call: Call) -> Call:
    """A replay that is the call itself."""
    return call


class CudaGraphRecorder:
    """Records CUDA graphs. All have their temporaries in one pool of memory, so one must have ended
    before the next is replayed: replay them on one stream.
    """

    _one_at_a_time = threading.Lock()
    """A recording begins by waiting for the device, which must not be while another one is made."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, call: Call) -> Call:
        """Raises RuntimeError: the call does what a graph cannot hold, or memory is short."""
        graph = torch.cuda.CUDAGraph()
        with (
            self._one_at_a_time,
            torch.cuda.device(self._device),
            # other threads may use the device meanwhile: the decoder's, for one
            torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ),
        ):
            call()
        return graph.replay
