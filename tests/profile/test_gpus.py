"""The table of GPUs: names as people and drivers have them, and figures that can be."""

from __future__ import annotations

import pytest

from avatar_nodes.profile.gpus import GPUS, UnknownGpuError, find_gpu


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("RTX 4090", "RTX 4090"),
        ("rtx_4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada"),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA H200", "H200"),
    ],
)
def test_a_gpu_is_found_by_its_names(name: str, found: str) -> None:
    assert find_gpu(name).name == found


@pytest.mark.parametrize(
    "name", ["", "RTX 4090 Laptop GPU", "RTX 4090 D", "RTX 3090 Ti", "Radeon VII"]
)
def test_no_name_is_guessed(name: str) -> None:
    with pytest.raises(UnknownGpuError) as caught:
        find_gpu(name)
    assert all(gpu.name in str(caught.value) for gpu in GPUS)


def test_no_name_is_ambiguous() -> None:
    for gpu in GPUS:
        assert all(find_gpu(name) is gpu for name in (gpu.name, *gpu.reported))


def test_figures_are_dense_and_have_a_source() -> None:
    for gpu in GPUS:
        assert gpu.source and 20e9 <= gpu.memory <= 200e9
        assert gpu.fp8 is None or 1.9 < gpu.fp8 / gpu.bf16 < 2.1, gpu.name
        assert gpu.host < gpu.bandwidth
