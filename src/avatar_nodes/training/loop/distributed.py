"""Shares training among processes: each has a part of the models (FSDP2) and of every batch.

`accelerate launch` or torchrun start the processes. They compute what one process computes: a batch
is drawn whole by each, which then keeps its own rows; gradients and figures are means over all.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor

from avatar_nodes.model.dit import WanS2V
from avatar_nodes.training.data.window_batch import WindowBatch

_ENTRANCES = ("forward_window", "forward_block", "encode_text", "prefill_sink")
"""Methods beside `forward` that compute with a transformer's weights."""


class DistributedError(ValueError):
    """A run that cannot be shared among its processes."""


class Workers:
    """The processes of a run. With one process nothing here costs anything."""

    def __init__(self) -> None:
        self.rank, self.count = 0, 1
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            from accelerate import PartialState

            state = PartialState(cpu=self.device.type == "cpu")
            self.rank, self.count = state.process_index, state.num_processes
            self.device = state.device
            # Left in order: gloo's threads that still run when the interpreter ends may abort it.
            atexit.register(state.destroy_process_group)

    @property
    def first(self) -> bool:
        """This process writes the files and prints."""
        return self.rank == 0

    def mixed_precision(self) -> torch.autocast:
        """Autocast to bfloat16.

        Cast weights are not cached: weights cast without a graph would be reused where one is
        needed."""
        return torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False)

    def shard(self, dit: WanS2V, *, frozen_text: bool = True) -> None:
        """Spread the weights over the processes, in place; each layer is gathered when it runs.
        Weights that are still on the host come to the device layer by layer, and leave this
        process's part there.

        Raises DistributedError if a text encoder is trained along, which would not be shared.
        """
        if self.count == 1:
            return
        if not frozen_text:
            raise DistributedError("several processes need a text encoder trained beforehand")
        mesh = init_device_mesh(self.device.type, (self.count,))
        for block in dit.layers:
            fully_shard(block, mesh=mesh)
        fully_shard(dit, mesh=mesh)
        for name in _ENTRANCES:
            register_fsdp_forward_method(dit, name)

    def share(self, batch: WindowBatch) -> WindowBatch:
        """This process's windows of a batch, on its device.

        Raises DistributedError if the windows cannot be shared out evenly.
        """
        size = len(batch.latents)
        if size % self.count:
            raise DistributedError(f"batch {size} is not a multiple of {self.count} processes")
        return batch.rows(slice(self.rank, None, self.count)).to(self.device)

    def rows(self, x: Tensor) -> Tensor:
        """This process's rows of a tensor drawn for the whole batch, on its device."""
        return x[self.rank :: self.count].to(self.device)

    def mean(self, x: Tensor) -> Tensor:
        """The mean of `x` over the processes, without a graph."""
        if self.count == 1:
            return x.detach()
        total = x.detach().clone()
        dist.all_reduce(total)
        return total / self.count

    def figures(self, values: Mapping[str, float]) -> dict[str, float]:
        """Means over the processes, the same for all."""
        if self.count == 1:
            return dict(values)
        means = self.mean(torch.tensor(list(values.values()), device=self.device))
        return dict(zip(values, means.tolist(), strict=True))

    def wait(self) -> None:
        """Until all processes are here: what the first one wrote is there for the others."""
        if self.count > 1:
            self.mean(torch.zeros(1, device=self.device)).item()

    def any(self, flag: bool) -> bool:
        """True if the flag is up in any process, so that all end at the same step."""
        if self.count == 1:
            return flag
        return bool(self.mean(torch.tensor([float(flag)], device=self.device)).item() > 0)


def whole(x: Any) -> Any:
    """Tensors (in any nesting) with every process's part; all processes must ask."""
    if isinstance(x, DTensor):
        return x.full_tensor()
    if isinstance(x, Mapping):
        return {key: whole(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return type(x)(whole(value) for value in x)
    return x


def kept_whole(x: Any, keep: bool) -> Any:
    """Tensors (in any nesting) with every process's part, gathered one by one, on the CPU: for the
    process that is to `keep` them, None for the others; all processes must ask. What is not shared
    is as it is.
    """
    if isinstance(x, DTensor):
        gathered = x.full_tensor().detach()
        return gathered.cpu() if keep else None
    if isinstance(x, Mapping):
        return {key: kept_whole(value, keep) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return type(x)(kept_whole(value, keep) for value in x)
    return x


def as_laid_out(x: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, spread over the processes as `like` is."""
    if isinstance(like, DTensor) and not isinstance(x, DTensor):
        x = x.to(like.device)
        return distribute_tensor(x, like.device_mesh, like.placements)
    return x


def load_whole(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """`load_state_dict` of whole tensors into a module that may be spread over processes."""
    own = cast("dict[str, Tensor]", module.state_dict())
    module.load_state_dict(
        {name: as_laid_out(x, own[name]) if name in own else x for name, x in state.items()}
    )
