"""The GPUs that memory and speed are computed for, with what their makers' data sheets say.

Public listings agree with RTX 3090, RTX 4090, RTX PRO 6000, L40S, H200 and B200; of the others the
sheets could not be opened where this was written: look before you buy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from avatar_nodes.errors.configuration_error import ConfigurationError

PCIE_4, PCIE_5 = 31.5e9, 63.0e9
"""Bytes/s to a card over 16 lanes, one way, on paper."""
_ADA = "NVIDIA Ada GPU Architecture, appendix A"
_AMPERE = "NVIDIA Ampere GA102 GPU Architecture, appendix A"
_BLACKWELL = "NVIDIA RTX Blackwell GPU Architecture, appendix A"
_PRO_BLACKWELL = "NVIDIA RTX PRO Blackwell GPU Architecture, appendix A"


class UnknownGpuError(ConfigurationError):
    """A GPU that is not in the table; the message names those that are."""


@dataclass(frozen=True)
class Gpu:
    """What a data sheet says of a GPU.

    memory: bytes. bf16, fp8: FLOP/s of matrix products summed in float32, dense (half of what a
    sheet has "with sparsity"); fp8 None: it has none. bandwidth: bytes/s of its memory. host:
    bytes/s from the host's memory. source: the sheet, or who gave the figures. reported: other
    names, as its driver reports it or as one calls it.
    """

    name: str
    memory: float
    bf16: float
    fp8: float | None
    bandwidth: float
    host: float
    source: str
    reported: tuple[str, ...] = ()


def _gpu(
    name: str, gb: float, bf16: float, fp8: float | None, bandwidth: float, host: float,
    source: str, *reported: str,
) -> Gpu:  # fmt: skip
    """bf16, fp8 in TFLOP/s; bandwidth in GB/s."""
    eight = None if fp8 is None else fp8 * 1e12
    return Gpu(name, gb * 1e9, bf16 * 1e12, eight, bandwidth * 1e9, host, source, reported)


GPUS = (
    _gpu("RTX 3090", 24, 71, None, 936, PCIE_4, _AMPERE),
    _gpu("RTX 4090", 24, 165.2, 330.3, 1008, PCIE_4, _ADA),
    _gpu("RTX 5090", 32, 209.5, 419, 1792, PCIE_5, _BLACKWELL),
    _gpu("RTX A6000", 48, 154.8, None, 768, PCIE_4, "NVIDIA RTX A6000 data sheet"),
    _gpu(
        "RTX 6000 Ada", 48, 364.2, 728.5, 960, PCIE_4, "NVIDIA RTX 6000 Ada Generation data sheet",
        "RTX 6000 Ada Generation",
    ),
    _gpu(
        "RTX PRO 6000", 96, 503.8, 1007.6, 1792, PCIE_5, _PRO_BLACKWELL,
        "RTX PRO 6000 Blackwell", "RTX PRO 6000 Blackwell Workstation Edition",
    ),
    _gpu("L4", 24, 121, 242.5, 300, PCIE_4, "NVIDIA L4 data sheet"),
    _gpu("L40S", 48, 362, 733, 864, PCIE_4, "NVIDIA L40S data sheet"),
    _gpu(
        "A100 40GB", 40, 312, None, 1555, PCIE_4, "NVIDIA A100 data sheet",
        "A100-PCIE-40GB", "A100-SXM4-40GB",
    ),
    _gpu(
        "A100 80GB", 80, 312, None, 1935, PCIE_4, "NVIDIA A100 data sheet (PCIe)",
        "A100", "A100 80GB PCIe", "A100-SXM4-80GB",
    ),
    _gpu("H100 PCIe", 80, 756, 1513, 2000, PCIE_5, "NVIDIA H100 data sheet (PCIe)"),
    _gpu(
        "H100", 80, 989, 1979, 3350, PCIE_5, "NVIDIA H100 data sheet (SXM)",
        "H100 SXM", "H100 80GB HBM3",
    ),
    _gpu("H200", 141, 989, 1979, 4800, PCIE_5, "NVIDIA H200 data sheet (SXM)", "H200 SXM"),
    _gpu("B200", 180, 2250, 4500, 8000, PCIE_5, "NVIDIA HGX B200 data sheet, an eighth"),
)  # fmt: skip


def find_gpu(name: str) -> Gpu:
    """The GPU of that name, as its driver reports it or shorter, in any case.

    Raises:
        UnknownGpuError: it is not in the table. No name is guessed: an `RTX 4090 Laptop GPU` is no
        RTX 4090.
    """
    wanted = _plain(name)
    for gpu in GPUS:
        if wanted in map(_plain, (gpu.name, *gpu.reported)):
            return gpu
    known = ", ".join(gpu.name for gpu in GPUS)
    raise UnknownGpuError(f"GPU {name!r}: expected one of {known}")


def _plain(name: str) -> str:
    words = re.split(r"[\s_\-]+", name.lower().strip())
    return " ".join(word for word in words if word not in ("nvidia", "geforce", ""))
