"""Measures a finished video of somebody who speaks, whoever made it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from avatar_nodes.evaluation.report import Figures
from avatar_nodes.judging.faces import SAME_PERSON, Face, FaceJudge
from avatar_nodes.judging.footage import JudgeError
from avatar_nodes.judging.lip_sync import lip_sync
from avatar_nodes.sound.audio_file import AudioFileError, float_from_pcm, read_audio_file
from avatar_nodes.world.alignment import AlignmentError, aligned
from avatar_nodes.world.speech import Speech
from avatar_nodes.world.visemes import lip_track

_RATE = 16_000
_GRID_HZ = 25
"""Frames a second at which mouths are compared, whatever the video has."""
_RECOGNISED_EVERY_S = 0.24
_LEAST_S = 2.0


@dataclass(frozen=True)
class SeenFace:
    """What a frame shows. time_s: when; opening: as `Face.opening`, None without a face; vector:
    the face's embedding [128], of some frames only.
    """

    time_s: float
    opening: float | None
    vector: np.ndarray | None


def known_speech(video: Path, words: str) -> Speech:
    """The sound of `video` with the times of its phones; words: what is said, in English.

    Raises:
        JudgeError: it has no sound, or another than the words.
    """
    try:
        sound = float_from_pcm(read_audio_file(video, sample_rate=_RATE))
        return aligned(sound, words, sample_rate=_RATE)
    except (AudioFileError, AlignmentError) as error:
        raise JudgeError(f"{video}: {error}") from error


def watch(video: Path, faces: FaceJudge) -> Iterator[SeenFace]:
    """The largest face of each frame, in order.

    Raises:
        JudgeError: it is no video that can be read.
    """
    try:
        with av.open(str(video)) as container:
            if not container.streams.video:
                raise JudgeError(f"{video}: has no picture")
            recognised_s = -_RECOGNISED_EVERY_S
            for frame in container.decode(video=0):
                picture = frame.to_ndarray(format="rgb24")
                face, time_s = faces.find(picture), float(frame.time or 0.0)
                vector = None
                if face is not None and time_s - recognised_s >= _RECOGNISED_EVERY_S - 1e-6:
                    recognised_s, vector = time_s, faces.describe(picture, face)
                yield SeenFace(time_s, face.opening if face else None, vector)
    except (OSError, av.FFmpegError) as error:
        raise JudgeError(f"{video}: {error.strerror or error}") from error


def judge_video(
    seen: list[SeenFace], speech: Speech, *, reference: np.ndarray | None = None
) -> Figures:
    """What a video is worth whose frames show `seen` while `speech` is heard.

    reference: embedding [128] of whom it should show; None: of its first face. mouth_corr,
    mouth_lag_ms: of the distance of the inner lips with what is said, as `LipSync`, positive where
    the picture is late; swing: of that distance, as a share of the eyes'. distance: of embeddings
    from the reference, mean; distance_end: of the last quarter; same_person: share of the
    recognised frames below the embedding's threshold. sound_longer_s: than the picture.

    Raises:
        JudgeError: no face is found in it, or it is shorter than two seconds.
    """
    times = np.array([one.time_s for one in seen])
    frame_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    length_s = float(times[-1]) + frame_s if len(times) else 0.0
    vectors = [one.vector for one in seen if one.vector is not None]
    if length_s < _LEAST_S or not vectors:
        raise JudgeError(
            f"{length_s:.1f} s with {len(vectors)} faces: expected a face, and"
            f" {_LEAST_S:.0f} s at least"
        )
    truth = lip_track(speech, int(length_s * _GRID_HZ), _GRID_HZ).aperture
    there = [(one.time_s, one.opening) for one in seen if one.opening is not None]
    grid = np.arange(len(truth)) / _GRID_HZ
    openings = np.interp(grid, *np.array(there).T).astype(np.float32)
    sync = lip_sync(truth, openings)
    reference = vectors[0] if reference is None else reference
    distances = np.array([float(np.linalg.norm(vector - reference)) for vector in vectors])
    return {
        "seconds": length_s,
        "frame_rate": 1.0 / frame_s,
        "mouth_corr": sync.correlation,
        "mouth_lag_ms": sync.lag_frames * 1000 // _GRID_HZ,
        "swing": float(np.percentile(openings, 95) - np.percentile(openings, 5)),
        "distance": float(distances.mean()),
        "distance_end": float(distances[-max(1, len(distances) // 4) :].mean()),
        "same_person": float((distances < SAME_PERSON).mean()),
        "face_found": len(there) / len(seen),
        "sound_longer_s": len(speech.samples) / speech.sample_rate - length_s,
    }


def embedding_of(picture: np.ndarray, faces: FaceJudge) -> np.ndarray:
    """The embedding [128] of the largest face in uint8 RGB [H, W, 3].

    Raises:
        JudgeError: there is none that looks at the camera.
    """
    face: Face | None = faces.find(picture)
    if face is None:
        raise JudgeError("the reference shows no face that looks at the camera")
    return faces.describe(picture, face)
