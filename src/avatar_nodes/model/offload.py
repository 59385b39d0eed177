"""Layers whose weights stay in the host's memory and are on the device only when their turn comes.

A model runs its layers in one order, pass after pass, so what comes next is always known. Two
buffers on the device take turns: while one layer computes, the next one's weights arrive in the
other, on a stream of their own. What is offloaded is spread evenly between layers that stay, whose
arithmetic hides the copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from avatar_nodes.errors.configuration_error import ConfigurationError

BUFFERS = 2
"""Offloaded layers that are on the device at a time."""
_ALIGNMENT = 256
_CHUNK_BYTES = 32 << 20
"""Pinned memory is handed out in powers of two: a layer in one piece would waste up to half."""


class OffloadError(ConfigurationError):
    """Layers that cannot be offloaded."""


def offloaded_layers(layers: int, count: int) -> list[int]:
    """Which `count` of so many layers are offloaded: at even distances.

    Raises:
        OffloadError: there are not so many, or so few that nothing is saved.
    """
    if count == 0:
        return []
    if not BUFFERS < count <= layers:
        raise OffloadError(
            f"offload_layers: expected 0, or {BUFFERS + 1} to {layers} ({BUFFERS} are on the device"
            f" at a time), got {count}"
        )
    return [(2 * index + 1) * layers // (2 * count) for index in range(count)]


def tensors_of(layer: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Everything that a layer holds, by name; also what is not saved with it."""
    yield from layer.named_parameters()
    yield from layer.named_buffers()


def padded_bytes(layer: nn.Module) -> int:
    """What a layer takes in a buffer, where each tensor begins at an even address."""
    return sum(_padded(tensor.nbytes) for _, tensor in tensors_of(layer))


@dataclass
class _Buffer:
    """Memory of one layer on the device."""

    bytes: Tensor
    tensors: dict[str, Tensor]
    holds: int | None = None
    arrived: torch.cuda.Event | None = field(default=None, repr=False)


class LayerOffload:
    """Takes `layers`, which are run one after another, again and again, off the device.

    Their tensors, which are to lie on the CPU, move into pinned memory; from then on each layer's
    `forward` finds them on `device`. Layers must be alike, and only one thread may run them. For
    serving: the layers can be neither trained nor saved afterwards. On the CPU the same copies are
    made, without streams.

    Raises:
        OffloadError: the layers differ in their tensors.
    """

    def __init__(self, layers: Sequence[nn.Module], device: torch.device | str) -> None:
        self._layers = list(layers)
        self._device = torch.device(device)
        self._on_gpu = self._device.type == "cuda"
        self._copies = torch.cuda.Stream(self._device) if self._on_gpu else None
        kinds = [{n: (t.shape, t.dtype) for n, t in tensors_of(layer)} for layer in self._layers]
        if any(kind != kinds[0] for kind in kinds):
            raise OffloadError("offload_layers: layers of different kinds")
        self._buffers = [self._buffer() for _ in range(min(BUFFERS, len(self._layers)))]
        self._host = [self._taken_in(layer) for layer in self._layers]
        for index, layer in enumerate(self._layers):
            layer.register_forward_pre_hook(lambda *_, index=index: self._before(index))
            layer.register_forward_hook(lambda *_, index=index: self._after(index))
        self._begin(0)

    @property
    def layer_bytes(self) -> int:
        """Of one layer: what is copied when its turn comes."""
        return self._buffers[0].bytes.nbytes

    def _before(self, index: int) -> None:
        """The layer's weights have arrived when its arithmetic begins."""
        if all(buffer.holds != index for buffer in self._buffers):
            self._begin(index)  # the pass before was given up
        buffer = next(buffer for buffer in self._buffers if buffer.holds == index)
        if buffer.arrived is not None:
            torch.cuda.current_stream(self._device).wait_event(buffer.arrived)

    def _after(self, index: int) -> None:
        """Its buffer is free for the layer after next."""
        buffer = next(buffer for buffer in self._buffers if buffer.holds == index)
        self._fetch((index + len(self._buffers)) % len(self._layers), buffer)

    def _begin(self, index: int) -> None:
        for ahead, buffer in enumerate(self._buffers):
            self._fetch((index + ahead) % len(self._layers), buffer)

    def _fetch(self, index: int, buffer: _Buffer) -> None:
        """Sends a layer's weights on their way, once all that was asked of the buffer is done."""
        buffer.holds = index
        for name, tensor in buffer.tensors.items():
            _put(self._layers[index], name, tensor)
        pieces = zip(buffer.bytes.split(_CHUNK_BYTES), self._host[index], strict=True)
        if self._copies is None:
            for piece, chunk in pieces:
                piece.copy_(chunk)
            return
        self._copies.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._copies):
            for piece, chunk in pieces:
                piece.copy_(chunk, non_blocking=True)
            buffer.arrived = torch.cuda.Event()
            buffer.arrived.record(self._copies)

    def _buffer(self) -> _Buffer:
        """Room for a layer, and its tensors in it."""
        places = _places(self._layers[0])
        size = padded_bytes(self._layers[0])
        room = torch.empty(size, dtype=torch.uint8, device=self._device)
        tensors: dict[str, Tensor] = {}
        for name, tensor in tensors_of(self._layers[0]):
            here = room[places[name] : places[name] + tensor.nbytes].view(tensor.dtype)
            here = here.view(tensor.shape)
            is_parameter = isinstance(tensor, nn.Parameter)
            tensors[name] = nn.Parameter(here, requires_grad=False) if is_parameter else here
        return _Buffer(room, tensors)

    def _taken_in(self, layer: nn.Module) -> list[Tensor]:
        """The layer's bytes in pinned memory; the layer lets go of its own."""
        whole = torch.zeros(self.layer_bytes, dtype=torch.uint8)
        for name, place in _places(layer).items():
            tensor = dict(tensors_of(layer))[name].detach().contiguous().cpu()
            whole[place : place + tensor.nbytes] = tensor.flatten().view(torch.uint8)
            _put(layer, name, self._buffers[0].tensors[name])
        chunks = whole.split(_CHUNK_BYTES)
        return [chunk.pin_memory() for chunk in chunks] if self._on_gpu else list(chunks)


def _places(layer: nn.Module) -> dict[str, int]:
    """Where each tensor of a layer begins in its buffer [bytes]."""
    places, end = {}, 0
    for name, tensor in tensors_of(layer):
        places[name] = end
        end += _padded(tensor.nbytes)
    return places


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _put(layer: nn.Module, name: str, tensor: Tensor) -> None:
    path, _, leaf = name.rpartition(".")
    owner = layer.get_submodule(path)
    held = owner._parameters if leaf in owner._parameters else owner._buffers
    held[leaf] = tensor  # type: ignore[assignment]
