"""Finds when each phone of a known English text is said in a recording (forced alignment)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import soxr

from avatar_nodes.world.arpabet import ipa_of
from avatar_nodes.world.speech import Phone, Speech

_RATE = 16_000
_FRAMES_PER_S = 100
_AROUND_S = 0.3
"""Silence before and after: without it the first and the last word are found badly."""
_WIDE: dict[str, Any] = {"beam": 1e-100, "wbeam": 1e-80, "pbeam": 1e-100, "cmn": "batch"}
"""Voices unlike those of its models are followed to the end, too."""
_WORD = re.compile(r"[a-z][a-z']*")


class AlignmentError(ValueError):
    """A recording is not of its text, or the text has words without a known pronunciation."""


def aligned(samples: np.ndarray, text: str, *, sample_rate: int) -> Speech:
    """A recording with the times of its phones, to 10 ms, by PocketSphinx.

    Args:
        samples: float32 [n] in -1..1, mono.
        text: what is said, in English words; numbers have to be written out.

    Raises:
        AlignmentError: the words and the sound do not go together, or there are no words.
    """
    from pocketsphinx import Decoder  # type: ignore[import-untyped]  # a second, spared to other stages

    words = _WORD.findall(text.lower())
    if not words:
        raise AlignmentError(f"{text!r} has no words")
    decoder = Decoder(lm=None, loglevel="FATAL", **_WIDE)
    if unknown := [word for word in words if decoder.lookup_word(word) is None]:
        raise AlignmentError(f"no pronunciation is known of {', '.join(unknown)}")
    sound = soxr.resample(samples.astype(np.float32), sample_rate, _RATE)
    around = np.pad(sound, round(_AROUND_S * _RATE))
    pcm = (np.clip(around, -1.0, 1.0) * 32767.0).astype(np.int16).tobytes()
    try:
        decoder.set_align_text(" ".join(words))
        _decode(decoder, pcm)
        decoder.set_alignment()  # once more, down to the phones
        _decode(decoder, pcm)
    except RuntimeError as error:
        raise AlignmentError(f"the sound is not of {text!r}: {error}") from error
    found = decoder.get_alignment()
    said = [word.name.partition("(")[0] for word in found or ()]
    if [word for word in said if word in words] != words:  # it was lost on its way
        raise AlignmentError(f"the sound is not of {text!r}")
    return Speech(samples, _phones(found, len(samples) / sample_rate), sample_rate)


def _decode(decoder: Any, pcm: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()


def _phones(words: Any, duration_s: float) -> tuple[Phone, ...]:
    phones = []
    for word in words:
        for part in word:
            start = max(0.0, part.start / _FRAMES_PER_S - _AROUND_S)
            end = (part.start + part.duration) / _FRAMES_PER_S - _AROUND_S
            end = min(end, duration_s)
            if end > start:
                phones.append(Phone(ipa_of(part.name), start, end))
    return tuple(phones)
