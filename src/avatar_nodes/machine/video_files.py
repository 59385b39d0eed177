"""Checks PyAV and the encoders that recording needs."""

from __future__ import annotations

import importlib

from avatar_nodes.machine.finding import Finding


def check_encoders() -> Finding:
    """H.264 and AAC in the FFmpeg that PyAV brings."""
    try:
        av = importlib.import_module("av")
    except ImportError as error:
        return Finding("video files", False, str(error).splitlines()[0], "pip install av", False)
    missing = [name for name in ("libx264", "aac") if name not in av.codecs_available]
    if missing:
        remedy = "pip install --force-reinstall --only-binary :all: av"
        return Finding("video files", False, f"PyAV without {', '.join(missing)}", remedy, False)
    return Finding("video files", True, f"PyAV {av.__version__} with H.264 and AAC")
