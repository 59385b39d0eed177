"""PocketSphinx: decodes while the visitor speaks, far faster than real time on one core.

Two decoders listen side by side: one with the general language model, one (where phrases are given)
with a model of those phrases alone. The phrases' words count where their best path explains the
sound clearly better than the general one: phrases are understood much more reliably, and other
sentences are seldom bent into them.
"""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from avatar_nodes.hearing.recognition.phrases import write_phrase_model
from avatar_nodes.hearing.recognition.recogniser import RecogniserError, Recognition
from avatar_nodes.sound.audio_file import GRAPH_RATE

_PIECE = 640
_HEAD_S = 0.6
"""Sound that is gathered before decoding begins, to learn how loud the visitor is."""
_LEVEL = 3000.0
_GAINS = (0.05, 40.0)
_LEVEL_FRAME = 400
# Log score a second by which the phrases' path must be ahead: measured 0.058 to 0.18 for a dozen
# sentences close to a phrase, -0.04 to 0.06 (one: 0.09) for 15 others; fewer words are likelier.
_CLEARLY_AHEAD = 0.055
_FRAMES_A_SECOND = 100
_FILLERS = ("<s>", "</s>", "<sil>", "[NOISE]", "[SPEECH]")
# Mean cepstrum of sound at _LEVEL, where the decoders' own running mean begins (measured on a dozen
# espeak-ng sentences); it follows the visitor's voice and microphone from the first sentence on.
_FIRST_MEAN = "51.99,-2.53,-4.26,17.72,-10.49,0.75,-8.02,-10.87,-6.58,-6.13,4.05,-4.73,-1.18"


class PocketSphinxRecogniser:
    """English by the model that the PyPI package carries, or another one from a folder.

    Args:
        model: a folder with an acoustic model (a folder with `mdef`), one `*.lm.bin`, `*.lm` or
            `*.lm.gz` and one `*.dict` or `*.dic`, as CMU Sphinx's language packs are; empty: the
            package's own.
        phrases: likely sentences; those with words that the dictionary lacks are left out.
        language: what recognitions are said to be in; empty: `en` with the package's own model.

    Raises:
        RecogniserError: the package or a part of the model is missing.
    """

    interim_s = 0.0
    pause_s = 0.2

    def __init__(
        self, *, model: str | Path = "", phrases: Sequence[str] = (), language: str = ""
    ) -> None:
        self._sphinx = _import_pocketsphinx()
        self._language = language or ("" if model else "en")
        parts = _checked_parts(Path(model)) if model else _own_parts(self._sphinx)
        self._decoders = [self._decoder(parts)]
        self.unknown_words: list[str] = []
        """Words of the phrases that the dictionary lacks."""
        if phrases:
            with tempfile.TemporaryDirectory() as folder:
                own = write_phrase_model(phrases, Path(folder), dictionary=Path(parts["dict"]))
                self.unknown_words = own.unknown_words
                if own.lm is not None:
                    known = {"lm": str(own.lm), "dict": str(own.dictionary)}
                    self._decoders.append(self._decoder({**parts, **known}))
        self._head: list[np.ndarray] = []
        self._gain = 1.0
        self._decoding = False
        self._unfinished: list[Any] = []  # ending takes time: not while somebody waits for a text

    def push(self, samples: np.ndarray) -> None:
        """See `Recogniser`."""
        if self._decoding:
            self._decode(samples)
            return
        self._head.append(samples)
        if sum(map(len, self._head)) >= _HEAD_S * GRAPH_RATE:
            self._begin()

    def interim(self) -> str:
        """See `Recogniser`."""
        if not self._decoding:
            return ""
        best = _best(self._decoders)
        return best.hyp().hypstr if best is not None else ""

    def finish(self) -> Recognition:
        """See `Recogniser`; confidence is the geometric mean of the words' posteriors."""
        if not self._decoding:
            self._begin()
        self._decoding = False
        best = _best(self._decoders)
        self._unfinished = [decoder for decoder in self._decoders if decoder is not best]
        if best is None:
            return Recognition("", 0.0, self._language)
        best.end_utt()
        if (found := best.hyp()) is None:
            return Recognition("", 0.0, self._language)
        return Recognition(found.hypstr, _confidence(best), self._language)

    def reset(self) -> None:
        """See `Recogniser`."""
        if self._decoding:
            self._unfinished = list(self._decoders)
        self._decoding = False
        self._head.clear()

    def close(self) -> None:
        """See `Recogniser`."""
        self._decoders, self._unfinished = [], []

    def _begin(self) -> None:
        sound = np.concatenate(self._head) if self._head else np.zeros(0, np.int16)
        self._head.clear()
        self._gain = _gain(sound)
        for decoder in self._unfinished:
            decoder.end_utt()
        self._unfinished = []
        for decoder in self._decoders:
            decoder.start_utt()
        self._decoding = True
        self._decode(sound)

    def _decode(self, samples: np.ndarray) -> None:
        """In pieces, so that other threads get their turn in between."""
        scaled = np.clip(np.rint(samples * self._gain), -32768, 32767).astype(np.int16)
        for first in range(0, len(scaled), _PIECE):
            piece = scaled[first : first + _PIECE].tobytes()
            for decoder in self._decoders:
                decoder.process_raw(piece, no_search=False, full_utt=False)

    def _decoder(self, parts: dict[str, str]) -> Any:
        try:
            decoder = self._sphinx.Decoder(loglevel="FATAL", **parts)
        except (RuntimeError, ValueError) as error:
            raise RecogniserError(f"pocketsphinx: {parts['hmm']}: {error}") from error
        decoder.set_cmn(_FIRST_MEAN)
        return decoder


def _import_pocketsphinx() -> Any:
    try:
        return importlib.import_module("pocketsphinx")
    except ImportError as error:
        raise RecogniserError(
            f"pocketsphinx is missing ({error}): install the Python package pocketsphinx"
        ) from error


def _own_parts(sphinx: Any) -> dict[str, str]:
    folder = Path(sphinx.get_model_path("en-us"))
    return {
        "hmm": str(folder / "en-us"),
        "lm": str(folder / "en-us.lm.bin"),
        "dict": str(folder / "cmudict-en-us.dict"),
    }


def _checked_parts(folder: Path) -> dict[str, str]:
    """The parts of a language pack, loaded once in a process of their own: the library ends the
    process that it is in when a file of the model is damaged."""
    parts = _model_parts(folder)
    program = f"import pocketsphinx; pocketsphinx.Decoder(loglevel='ERROR', **{parts!r})"
    done = subprocess.run(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise RecogniserError(f"{folder}: {lines[-1] if lines else 'the model does not load'}")
    return parts


def _model_parts(folder: Path) -> dict[str, str]:
    """The parts of a language pack; exactly one of each kind is expected."""
    kinds = {"hmm": ("mdef",), "lm": ("*.lm.bin", "*.lm", "*.lm.gz"), "dict": ("*.dict", "*.dic")}
    parts = {}
    for kind, patterns in kinds.items():
        found = sorted(path for pattern in patterns for path in folder.rglob(pattern))
        if len(found) != 1:
            wanted = " or ".join(patterns)
            raise RecogniserError(f"{folder}: expected one {wanted} in it, got {len(found)}")
        parts[kind] = str(found[0].parent if kind == "hmm" else found[0])
    return parts


def _gain(sound: np.ndarray) -> float:
    """What brings the louder part of `sound` to the level that the model's mean is for."""
    frames = sound[: len(sound) // _LEVEL_FRAME * _LEVEL_FRAME].reshape(-1, _LEVEL_FRAME)
    if not len(frames):
        return 1.0
    levels = np.sqrt((frames.astype(np.float32) ** 2).mean(axis=1))
    loud = max(float(np.percentile(levels, 90)), 1.0)
    return min(max(_LEVEL / loud, _GAINS[0]), _GAINS[1])


def _best(decoders: Sequence[Any]) -> Any | None:
    """The decoder (general, phrases) whose words count; None: none has any."""
    worded = [decoder for decoder in decoders if (hyp := decoder.hyp()) and hyp.hypstr]
    if len(worded) < 2:
        return worded[0] if worded else None
    general, phrases = worded
    ahead = math.log(max(phrases.hyp().score, 1e-300) / max(general.hyp().score, 1e-300))
    seconds = phrases.n_frames() / _FRAMES_A_SECOND
    return phrases if ahead > _CLEARLY_AHEAD * seconds else general


def _confidence(decoder: Any) -> float:
    words = [part.prob for part in decoder.seg() if part.word not in _FILLERS]
    if not words:
        return 0.0
    mean = sum(math.log(max(probability, 1e-9)) for probability in words) / len(words)
    return min(1.0, math.exp(mean))
