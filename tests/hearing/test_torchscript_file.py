"""The weights of a TorchScript file, read without torch."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_nodes.hearing.torchscript_file import TorchScriptFileError, read_torchscript


@pytest.fixture
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv1d(2, 3, 5), torch.nn.ReLU(), torch.nn.Linear(4, 6))


def test_every_weight_is_read_under_its_name(network: torch.nn.Module, tmp_path: Path) -> None:
    file = tmp_path / "network.jit"
    torch.jit.script(network).save(str(file))
    found = read_torchscript(file)
    wanted = {name: value.numpy() for name, value in network.state_dict().items()}
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_other_files_are_refused(network: torch.nn.Module, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"RIFF")
    with pytest.raises(TorchScriptFileError, match="file: "):
        read_torchscript(file)
    with pytest.raises(TorchScriptFileError, match="No such file"):
        read_torchscript(tmp_path / "nothing")
    torch.jit.script(network.double()).save(str(file))
    with pytest.raises(TorchScriptFileError, match=r"holds a torch\.DoubleStorage"):
        read_torchscript(file)


def test_a_file_runs_no_code(tmp_path: Path) -> None:
    file = tmp_path / "evil.jit"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("evil/data.pkl", b"cos\nsystem\n(S'touch evil'\ntR.")
    with pytest.raises(TorchScriptFileError, match=r"holds a os\.system"):
        read_torchscript(file)
