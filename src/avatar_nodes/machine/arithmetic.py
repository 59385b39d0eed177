"""Checks torch, its devices, and the speed of each number format."""

from __future__ import annotations

import importlib
import os
import time
from typing import Any

from avatar_nodes.machine.finding import Finding

_SIZE = 512
_ROUNDS = 20


def check_torch() -> Finding:
    """torch itself."""
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        return Finding("torch", False, str(error).splitlines()[0], "pip install torch")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    capability = torch.backends.cpu.get_cpu_capability()
    return Finding("torch", True, f"{torch.__version__}, {cores} CPU cores, {capability}")


def check_devices(wanted: set[str]) -> list[Finding]:
    """The devices that the profile names (`cpu`, `cuda`, `cuda:1`)."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return []
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = [torch.cuda.get_device_name(index) for index in range(count)]
    findings = [
        Finding(
            "GPU", bool(names), ", ".join(names) or "none: everything runs on the CPU", "", False
        )
    ]
    for device in sorted(wanted - {"cpu"}):
        index = int(device.partition(":")[2] or 0)
        found = names[index] if index < count else "not there"
        remedy = "choose another device in placement, or install torch for CUDA"
        findings.append(Finding(f"device {device}", index < count, found, remedy))
    return findings


def check_bfloat16() -> Finding:
    """Compares bfloat16, which the tiny profile computes in, with float32 on this CPU."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return Finding("bfloat16", False, "no torch", "pip install torch")
    pairs = [
        (_matmul_seconds(torch, "float32"), _matmul_seconds(torch, "bfloat16"))
        for _ in range(_ROUNDS)
    ]
    ratio = min(exact for exact, _ in pairs) / min(short for _, short in pairs)
    fast = ratio >= 1.0
    remedy = "" if fast else "use a profile with dtype float32 (tiny_float32) on this CPU"
    return Finding("bfloat16", fast, f"{ratio:.1f} times as fast as float32", remedy, False)


def _matmul_seconds(torch: Any, dtype: str) -> float:
    a = torch.ones(_SIZE, _SIZE, dtype=getattr(torch, dtype))
    start = time.perf_counter()
    a @ a
    return time.perf_counter() - start
