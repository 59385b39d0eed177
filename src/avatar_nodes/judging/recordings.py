"""Makes clips of recordings of human beings whose words are known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.sound.audio_file import AudioFileError, float_from_pcm, read_audio_file
from avatar_nodes.world.alignment import AlignmentError, aligned
from avatar_nodes.world.clips import Clip, ClipSpec, Film
from avatar_nodes.world.speech import Speech

_SEED = 70_000
_SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".m4a")


class RecordingsError(ValueError):
    """A folder holds no recording with its words; the message says what is wanted."""


def recorded_clips(
    folder: Path, *, timing: BlockTiming | None = None, film: Film = Clip
) -> Iterator[Clip]:
    """A clip of each recording in `folder`: NAME.wav (or flac, ogg, mp3, m4a) with NAME.txt.

    The words are English and written out; when each phone is said is found by alignment. The people
    are of the test split and only talk. film: in which world.

    Raises:
        RecordingsError: there is none, or one that cannot be read or is not of its text.
    """
    timing = timing or BlockTiming()
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SOUNDS)
    files = [path for path in files if path.with_suffix(".txt").is_file()]
    if not files:
        raise RecordingsError(f"{folder}: no NAME.wav with its words in NAME.txt")
    for number, path in enumerate(files):
        try:
            pcm = read_audio_file(path, sample_rate=timing.sample_rate)
            text = path.with_suffix(".txt").read_text()
            yield _clip(aligned(float_from_pcm(pcm), text, sample_rate=timing.sample_rate),
                        _SEED + number, timing, film)  # fmt: skip
        except (AudioFileError, AlignmentError, UnicodeDecodeError) as error:
            raise RecordingsError(f"{path}: {error}") from error


def _clip(speech: Speech, seed: int, timing: BlockTiming, film: Film) -> Clip:
    """Whole blocks, the last one filled with silence."""
    blocks = -(-len(speech.samples) // timing.samples_per_block)
    missing = blocks * timing.samples_per_block - len(speech.samples)
    samples = np.pad(speech.samples, (0, missing)).astype(np.float32)
    plan = ClipSpec.sample(seed, split="test", blocks=blocks, timing=timing)
    spec = ClipSpec(seed, "test", blocks, plan.identity, (), timing=timing)
    return film(spec, speech=Speech(samples, speech.phones, timing.sample_rate))
