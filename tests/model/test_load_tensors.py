"""Weights go from file to device one at a time: the host does not hold them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

MIB = 1 << 20
LAYERS, WIDTH = 32, 2048  # 16 MiB a layer, 512 MiB in all
_PROGRAM = f"""
import sys
from pathlib import Path
import torch
from torch import nn
from avatar_nodes.model.load_tensors import load_tensors

def highest():  # the most memory that this process ever held, mapped files among it [KiB]
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

with torch.device("meta"):
    module = nn.Sequential(*(nn.Linear({WIDTH}, {WIDTH}, bias=False) for _ in range({LAYERS})))
files = sorted(Path(sys.argv[1]).iterdir())
torch.zeros(1).to(torch.bfloat16)  # what the library itself needs for its first tensor
before = highest()
device, home = sys.argv[2:]
load_tensors(module, files, dtype=torch.bfloat16, device=device, home=lambda name: home)
assert all(p.dtype == torch.bfloat16 for p in module.parameters())
print((highest() - before) >> 10)
"""


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    return {f"{n}.weight": torch.full((WIDTH, WIDTH), float(n)) for n in range(LAYERS)}


def _growth_mib(folder: Path, device: str, home: str) -> int:
    program = [sys.executable, "-c", _PROGRAM, str(folder), device, home]
    freed = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(MIB)}  # is given back at once
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=freed)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_host_memory_stays_far_under_the_files_size(
    tensors: dict[str, torch.Tensor], tmp_path: Path, kind: str
) -> None:
    """512 MiB of float32, to a device that takes no memory of the host's; to the host itself, which
    then holds the 256 MiB that are wanted; and over the host to elsewhere, as what is offloaded
    goes over the device: it never holds the whole."""
    names = list(tensors)
    if kind == "pth":
        torch.save(tensors, tmp_path / "model.pth")
    else:
        for shard in range(2):
            part = {name: tensors[name] for name in names[shard::2]}
            save_file(part, tmp_path / f"{shard}.safetensors")
    size = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert size >= 512 * MIB
    assert _growth_mib(tmp_path, "meta", "meta") < 200
    assert 240 < _growth_mib(tmp_path, "cpu", "cpu") < 256 + 200
    assert _growth_mib(tmp_path, "cpu", "meta") < 200
