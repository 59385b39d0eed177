"""Describes the machine, for the record beside a measurement's figures."""

from __future__ import annotations

import importlib
import os
import platform
from pathlib import Path

import psutil

Description = dict[str, str | int | float]


def describe_machine() -> Description:
    """Processor, cores, memory, load, versions; what a reader needs to compare two measurements."""
    description: Description = {
        "cpu": _processor(),
        "cores": len(psutil.Process().cpu_affinity() or [0]),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_1min": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }
    torch = importlib.import_module("torch")
    description["torch"] = str(torch.__version__)
    if torch.cuda.is_available():
        description["gpu"] = str(torch.cuda.get_device_name(0))
    return description


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
