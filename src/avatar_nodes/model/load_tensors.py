"""Fills a module from checkpoint files, tensor by tensor, straight onto its device."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from avatar_nodes.model.tensor_files import CheckpointError, Shape, read_tensors, tensor_shapes


@dataclass(frozen=True)
class Spelling:
    """How files name the tensors of a module.

    published: the file's name of a module's tensor. tied: names that files leave out because they
    are another tensor of the module, and that one's name. unused: what files may have beside.
    within: the module is what bears this prefix in the files; all else is left alone.
    """

    published: Callable[[str], str] = str
    tied: Mapping[str, str] | None = None
    unused: re.Pattern[str] | None = None
    within: str = ""


AS_IT_IS = Spelling()
Change = Callable[[str, Tensor], Tensor]
"""What is made of a tensor of that name (the module's) on its device, before it gets its dtype."""


def load_tensors(
    module: nn.Module, files: Iterable[Path], *, dtype: torch.dtype | Callable[[str], torch.dtype],
    device: str = "cpu", spelling: Spelling = AS_IT_IS, change: Change | None = None,
    home: Callable[[str], str] | None = None,
) -> None:  # fmt: skip
    """Fills every parameter and buffer of `module`, which may be on the meta device.

    dtype: of all floating-point tensors, or of each by its name. home: where a tensor of that name
    goes when it is made, if it does not stay on `device`. Names and shapes are checked before the
    first tensor is read.

    Raises:
        CheckpointError: naming every missing, unexpected and misshapen tensor as files spell it.
    """
    files = list(files)
    places = check_tensors(module, files, spelling=spelling)
    names = _published_names(module, spelling)
    for path in files:
        here = {names[n]: n for n, file in places.items() if file == path}
        for published, tensor in read_tensors(path, here):
            name = here[published]
            tensor = tensor.to(device)
            if change is not None:
                tensor = change(name, tensor)
            if tensor.is_floating_point():
                tensor = tensor.to(dtype if isinstance(dtype, torch.dtype) else dtype(name))
            _put(module, name, tensor if home is None else tensor.to(home(name)))
            del tensor
    for name, other in (spelling.tied or {}).items():
        owner, leaf = _owner(module, name)
        source, source_leaf = _owner(module, other)
        owner._parameters[leaf] = source._parameters[source_leaf]


def check_tensors(
    module: nn.Module, files: Iterable[Path], *, spelling: Spelling = AS_IT_IS
) -> dict[str, Path]:
    """In which file each tensor of the module is; only the files' tables are read.

    Raises:
        CheckpointError: as `load_tensors`.
    """
    files = list(files)
    found: dict[str, Shape] = {}
    at: dict[str, Path] = {}
    for path in files:
        for name, shape in tensor_shapes(path).items():
            if not name.startswith(spelling.within):
                continue
            if spelling.unused is None or not spelling.unused.fullmatch(name):
                found[name], at[name] = shape, path
    names = _published_names(module, spelling)
    state = module.state_dict()
    problems = compare_shapes({names[n]: tuple(state[n].shape) for n in names}, found)
    if problems:
        raise CheckpointError(f"{_owner_of(files)}: {'; '.join(problems)}")
    return {name: at[published] for name, published in names.items()}


def compare_tensors(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """`compare_shapes` of tensors that are at hand."""
    sides = ({name: tuple(t.shape) for name, t in side.items()} for side in (expected, found))
    return compare_shapes(*sides)


def compare_shapes(expected: Mapping[str, Shape], found: Mapping[str, Shape]) -> list[str]:
    """What is wrong with the `found` tensors, a phrase for each kind of fault; empty when all is
    well.
    """
    missing = sorted(expected.keys() - found.keys())
    extra = sorted(found.keys() - expected.keys())
    misshapen = [
        f"{name} is {list(found[name])}, expected {list(expected[name])}"
        for name in sorted(expected.keys() & found.keys())
        if found[name] != expected[name]
    ]
    kinds = (("missing", missing), ("unexpected", extra), ("wrong shape", misshapen))
    return [f"{kind}: {', '.join(names)}" for kind, names in kinds if names]


def _published_names(module: nn.Module, spelling: Spelling) -> dict[str, str]:
    tied = spelling.tied or {}
    return {
        name: spelling.within + spelling.published(name)
        for name in module.state_dict()
        if name not in tied
    }


def _owner_of(files: list[Path]) -> Path:
    """What an error is about: the file, or the folder of several."""
    return files[0] if len(files) == 1 and files[0].suffix != ".safetensors" else files[0].parent


def _put(module: nn.Module, name: str, tensor: Tensor) -> None:
    owner, leaf = _owner(module, name)
    old = owner._parameters.get(leaf)
    if old is None:
        owner._buffers[leaf] = tensor
    else:
        owner._parameters[leaf] = nn.Parameter(tensor, requires_grad=old.requires_grad)


def _owner(module: nn.Module, name: str) -> tuple[nn.Module, str]:
    path, _, leaf = name.rpartition(".")
    return module.get_submodule(path), leaf
