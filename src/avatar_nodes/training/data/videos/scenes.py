"""Finds the cuts between the scenes of a video, by PySceneDetect."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from avatar_nodes.training.data.videos.files import VideoError

_PACKAGES = ("scenedetect-headless", "scenedetect")


def scene_tool() -> str:
    """The detector of cuts, or the reason why there is none."""
    for name in _PACKAGES:
        try:
            return f"PySceneDetect {version(name)}, AdaptiveDetector"
        except PackageNotFoundError:
            continue
    return "skipped: PySceneDetect is not installed (pip install scenedetect-headless)"


def find_scenes(path: Path, duration_s: float) -> list[tuple[float, float]]:
    """(start, end) of every scene in seconds after the first picture; they follow each other.

    Without PySceneDetect the whole file is one scene. Raises VideoError when it cannot be read.
    """
    try:
        from scenedetect import AdaptiveDetector, VideoOpenFailure, detect
    except ImportError:
        return [(0.0, duration_s)]
    try:
        found = detect(str(path), AdaptiveDetector(), start_in_scene=True, backend="opencv")
    except (VideoOpenFailure, OSError) as error:
        raise VideoError(f"unreadable: {error}") from error
    return [(start.seconds, end.seconds) for start, end in found]
