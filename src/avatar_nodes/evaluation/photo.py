"""Measures pictures of somebody brought to speech: the mouth follows, the person stays, nothing
tears."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.decoding.reference_picture import ReferencePictureError, framed_reference
from avatar_nodes.evaluation.countdown import Countdown
from avatar_nodes.evaluation.performers import Performer, StillPerformer
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.judging.clip_sync import speaking_clips
from avatar_nodes.judging.detail import torn
from avatar_nodes.judging.faces import SAME_PERSON, Face, FaceJudge
from avatar_nodes.judging.footage import JudgeError
from avatar_nodes.judging.lip_sync import lip_sync
from avatar_nodes.judging.recordings import recorded_clips
from avatar_nodes.world.clips import Clip, ClipSpec
from avatar_nodes.world.renderer import Box
from avatar_nodes.world.speech import Speech

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".avif")
_RECOGNISED_EVERY = 6
"""Frames from one whose face is recognised to the next."""


class PhotoClip(Clip):
    """What a clip says, to be said by the person in a picture; what that looks like nobody knows.

    Args:
        picture: uint8 RGB [H, W, 3] of the video's size. speech: as `Clip`.
    """

    SOURCE = "photo"

    def __init__(
        self, spec: ClipSpec, *, picture: np.ndarray, speech: Speech | None = None
    ) -> None:
        super().__init__(replace(spec, actions=(), thing=None), speech=speech)
        self.size = len(picture)
        self._picture = picture

    def reference(self) -> np.ndarray:
        """uint8 RGB [H, W, 3]: the picture."""
        return self._picture

    def frame(self, n: int) -> np.ndarray:
        """Raises NotImplementedError: of a picture there are no true frames."""
        raise NotImplementedError("nobody knows what the person in the picture looks like then")

    @cached_property
    def search_box(self) -> Box:
        """The whole picture: where its mouth is, a judge finds out."""
        height, width = self._picture.shape[:2]
        return 0, 0, width, height


def read_pictures(
    folder: Path, *, width: int, height: int
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The pictures of a folder by name, framed as a reference is, and why others were refused.

    Raises:
        JudgeError: there is none that can be used.
    """
    pictures, refused = dict[str, np.ndarray](), dict[str, str]()
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES):
        try:
            pictures[path.name] = framed_reference(path, width=width, height=height).pixels
        except ReferencePictureError as error:
            refused[path.name] = str(error)
    if not pictures:
        why = "; ".join(refused.values()) or "no PNG, JPEG, WebP or AVIF in it"
        raise JudgeError(f"{folder}: no picture of a face: {why}")
    return pictures, refused


def evaluate_photos(
    model: Performer, pictures: dict[str, np.ndarray], faces: FaceJudge, *, clips: int,
    blocks: int, speech: Path | None = None, split: str = "test",
    timing: BlockTiming | None = None, tell: Callable[[str], None] = print,
) -> Figures:  # fmt: skip
    """Let the model speak `clips` clips with each picture, uint8 RGB [H, W, 3] by name.

    speech: a folder of recordings to speak with, instead of the split's sentences. Returns the
    means over pictures, those of the unmoved pictures under `baselines`, and of each picture.
    """
    systems: tuple[Performer, ...] = (model, StillPerformer())
    known = {name: _known(faces, picture, name) for name, picture in pictures.items()}
    found: dict[str, dict[str, Figures]] = {p.name: {} for p in systems}
    spoken = list(_speeches(clips, blocks, speech, split, timing))
    count = Countdown(len(pictures) * len(systems), tell)
    for number, (name, picture) in enumerate(pictures.items()):
        face, vector = known[name]
        others = [other for one, (_, other) in known.items() if one != name]
        stranger = min((float(np.linalg.norm(vector - other)) for other in others), default=None)
        for performer in systems:
            rows = []
            for plan in spoken:
                clip = PhotoClip(plan.spec, picture=picture, speech=plan.speech)
                frames = performer.perform(clip, seed=number).frames
                rows.append(judge_photo(clip, frames, faces, face, vector))
            row = {**_mean(rows), "stranger": stranger}
            found[performer.name][name] = row
            count.done(f"{performer.name}, {name}: mouth {row['mouth_corr']:.2f}")
    figures = _mean(list(found[model.name].values()))
    figures["same_person_below"] = SAME_PERSON
    figures["baselines"] = {
        p.name: _mean(list(found[p.name].values())) for p in systems if p is not model
    }
    figures["pictures"] = found[model.name]
    return figures


def judge_photo(
    clip: Clip, frames: np.ndarray, faces: FaceJudge, face: Face, vector: np.ndarray
) -> Figures:
    """What frames [F, H, W, 3] of a picture that speaks are worth; `face` and its embedding
    `vector` are those of the picture.

    mouth_corr, mouth_lag: of the distance of the inner lips with what is said, as `LipSync`; swing:
    of that distance, as a share of the eyes'. distance: of embeddings, mean; same_person: share of
    frames below the embedding's threshold. face_found: share of frames. torn: see `detail.torn`.
    """
    openings, distances = list[float](), list[float]()
    seen = 0
    for n, frame in enumerate(frames):
        there = faces.find(frame)
        seen += there is not None
        openings.append(openings[-1] if openings else 0.0)
        if there is None:
            continue
        openings[-1] = there.opening
        if n % _RECOGNISED_EVERY == 0:
            distances.append(float(np.linalg.norm(faces.describe(frame, there) - vector)))
    measured = np.array(openings, np.float32)
    sync = lip_sync(clip.aperture, measured)
    asked = len(range(0, len(frames), _RECOGNISED_EVERY))
    return {
        "mouth_corr": sync.correlation,
        "mouth_lag": sync.lag_frames,
        "swing": float(np.percentile(measured, 95) - np.percentile(measured, 5)),
        "distance": float(np.mean(distances)) if distances else None,
        "same_person": sum(d < SAME_PERSON for d in distances) / asked,
        "face_found": seen / len(frames),
        "torn": torn(frames, clip.reference(), but=face.openable),
    }


def _known(faces: FaceJudge, picture: np.ndarray, name: str) -> tuple[Face, np.ndarray]:
    face = faces.find(picture)
    if face is None:
        raise JudgeError(f"{name}: no face that looks at the camera, as it is framed")
    return face, faces.describe(picture, face)


def _speeches(
    clips: int, blocks: int, speech: Path | None, split: str, timing: BlockTiming | None
) -> Iterator[Clip]:
    """Drawn clips, of which only the sound is used."""
    if speech is not None:
        return recorded_clips(speech, timing=timing)
    return speaking_clips(clips, blocks, split, timing=timing)


def _mean(rows: Sequence[Figures]) -> Figures:
    """Means of what is known; the worst lag."""
    out: Figures = {}
    for key in rows[0]:
        values = [row[key] for row in rows if row[key] is not None]
        if key == "mouth_lag":
            out[key] = max(values, key=abs)
        else:
            out[key] = float(np.mean(values)) if values else None
    return out
