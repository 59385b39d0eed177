"""Whisper on CTranslate2: as accurate as the original, several times faster on a processor."""

from __future__ import annotations

import importlib
import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avatar_nodes.hearing.log_mel import HOP, log_mel
from avatar_nodes.hearing.recognition.recogniser import RecogniserError, Recognition
from avatar_nodes.sound.audio_file import GRAPH_RATE, float_from_pcm
from avatar_nodes.text.words import has_words

_WINDOW_S = 30
"""Whisper hears no more at a time; of a longer utterance, the last part counts."""
_SHORTEST_S = 10
"""Least sound and silence that it is given: with less, it says short words over and over."""
_SILENCE_S = 2.0
"""Silence that it is given after speech."""
_TOKENS_A_SECOND, _TOKENS_MORE = 8, 16
"""Nobody speaks faster; it goes on for long only where it repeats itself."""
_PHRASE_TOKENS = 96
_HALF_CONTEXT = 223
# OpenAI's own limits (transcribe.py), and one more: what is so unlikely is noise, whatever it says.
_NO_SPEECH, _UNLIKELY_NO_SPEECH = 0.6, -1.0
_UNLIKELY = -2.0
_REPETITIVE = 2.4
# What it writes of sounds that are no words: [Music], (coughs), *sighs*.
_SOUNDS = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|♪")


@dataclass(frozen=True)
class _Text:
    text: str
    score: float
    """Mean log probability of its tokens."""
    no_speech: float


class WhisperRecogniser:
    """A Whisper checkpoint converted for CTranslate2 (`model.bin`, `config.json`, `tokenizer.json`
    and a vocabulary).

    It hears the whole utterance anew for each text, and only as much silence after it as it needs;
    a text is kept until more sound comes, so that an interim text asked for in a pause makes the
    final one ready. What it makes up of noise and silence is no text.

    Args:
        folder: of the checkpoint; nothing is ever downloaded.
        language: BCP 47; empty: detected where the model knows several.
        phrases: sentences that visitors are likely to say; the first ones lead it to their words.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: of the processor.

    Raises:
        RecogniserError: a package, the folder, a file in it, the language or the device is not
            usable.
    """

    interim_s = 2.0
    """Sound between two interim texts that are worth their cost [s]."""
    pause_s = 0.1
    """Early, since its text takes longer than the silence that ends a complete sentence."""

    def __init__(
        self,
        folder: str | Path,
        *,
        language: str = "",
        phrases: Sequence[str] = (),
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        folder = Path(folder)
        self._library = _import_ctranslate2()
        _check_files(folder)
        self._tokenizer = _tokenizer(folder)
        self._model: Any = self._load(folder, device, threads)
        self._multilingual = bool(self._model.is_multilingual)
        self._language = self._known(language)
        self._led = self._leading_tokens(phrases)
        self._parts: list[np.ndarray] = []
        self._heard: Recognition | None = None

    def push(self, samples: np.ndarray) -> None:
        """See `Recogniser`."""
        self._parts.append(samples)
        self._heard = None

    def interim(self) -> str:
        """See `Recogniser`."""
        return self._recognise().text if self._parts else ""

    def finish(self) -> Recognition:
        """See `Recogniser`; confidence is the geometric mean of the tokens' probabilities."""
        heard = self._recognise() if self._parts else Recognition("", 0.0, self._language)
        self.reset()
        return heard

    def reset(self) -> None:
        """See `Recogniser`."""
        self._parts.clear()
        self._heard = None

    def close(self) -> None:
        """See `Recogniser`."""
        self._model = None

    def _recognise(self) -> Recognition:
        if self._heard is None:
            sound = np.concatenate(self._parts)[-_WINDOW_S * GRAPH_RATE :]
            self._parts = [sound]
            self._heard = self._understand(float_from_pcm(sound))
        return self._heard

    def _understand(self, sound: np.ndarray) -> Recognition:
        seconds = len(sound) / GRAPH_RATE
        window_s = min(_WINDOW_S, max(_SHORTEST_S, math.ceil(seconds + _SILENCE_S)))
        found, language = self._transcribe(sound, window_s)
        if _is_repetitive(found.text) and window_s < _WINDOW_S:
            found, language = self._transcribe(sound, _WINDOW_S)
        return Recognition(_words_of(found), min(1.0, math.exp(found.score)), language)

    def _transcribe(self, sound: np.ndarray, window_s: int) -> tuple[_Text, str]:
        """What it writes of `sound` and the silence after it, and the language it is in."""
        padded = np.zeros(window_s * GRAPH_RATE, np.float32)
        padded[: len(sound)] = sound[: len(padded)]
        features = log_mel(padded, self._model.n_mels)[None, :, : window_s * GRAPH_RATE // HOP]
        encoded = self._model.encode(
            self._library.StorageView.from_array(np.ascontiguousarray(features))
        )
        language = self._language or self._detect(encoded)
        prompt = [*self._led, *self._start(language)]
        tokens = round(len(sound) / GRAPH_RATE * _TOKENS_A_SECOND) + _TOKENS_MORE
        (found,) = self._model.generate(
            encoded,
            [prompt],
            beam_size=1,
            max_length=len(prompt) + min(tokens, _HALF_CONTEXT),
            return_scores=True,
            return_no_speech_prob=True,
        )
        text = self._tokenizer.decode(found.sequences_ids[0], skip_special_tokens=True)
        return _Text(text.strip(), found.scores[0], found.no_speech_prob), language

    def _detect(self, encoded: Any) -> str:
        if not self._multilingual:
            return "en"
        ((likeliest, _), *_), *_ = self._model.detect_language(encoded)
        return str(likeliest).strip("<|>")

    def _start(self, language: str) -> list[int]:
        told = ["<|startoftranscript|>"]
        if self._multilingual:
            told += [f"<|{language}|>", "<|transcribe|>"]
        return [self._id(token) for token in (*told, "<|notimestamps|>")]

    def _leading_tokens(self, phrases: Sequence[str]) -> list[int]:
        """Phrases as text that went before: as many as there is room for."""
        tokens: list[int] = []
        for phrase in phrases:
            more = self._tokenizer.encode(f" {phrase.strip()}.", add_special_tokens=False).ids
            if len(tokens) + len(more) > _PHRASE_TOKENS:
                break
            tokens += more
        return [self._id("<|startofprev|>"), *tokens] if tokens else []

    def _id(self, token: str) -> int:
        number = self._tokenizer.token_to_id(token)
        if number is None:
            raise RecogniserError(f"whisper: its tokenizer knows no {token}")
        return int(number)

    def _load(self, folder: Path, device: str, threads: int) -> Any:
        kind, _, number = device.partition(":")
        try:
            return self._library.models.Whisper(
                str(folder),
                device=kind,
                device_index=int(number or 0),
                compute_type="int8" if kind == "cpu" else "auto",
                intra_threads=threads,
            )
        except (RuntimeError, ValueError) as error:
            raise RecogniserError(f"{folder}: {_line(error)}") from error

    def _known(self, language: str) -> str:
        """Whisper's own code of a BCP 47 language: the part before the region."""
        code = language.partition("-")[0].lower()
        if not code:
            return ""
        known = code == "en" or self._multilingual
        if len(code) > 3 or not known or self._tokenizer.token_to_id(f"<|{code}|>") is None:
            raise RecogniserError(f"language {language!r}: the Whisper model does not know it")
        return code


def _words_of(found: _Text) -> str:
    """The text; empty where it was made up."""
    silent = found.no_speech > _NO_SPEECH and found.score < _UNLIKELY_NO_SPEECH
    if silent or found.score < _UNLIKELY or _is_repetitive(found.text):
        return ""
    text = " ".join(_SOUNDS.sub(" ", found.text).split())
    return text if has_words(text) else ""


def _is_repetitive(text: str) -> bool:
    encoded = text.encode()
    return len(encoded) > _REPETITIVE * len(zlib.compress(encoded))


def _check_files(folder: Path) -> None:
    if (folder / "config.json").is_file() and not (folder / "model.bin").is_file():
        raise RecogniserError(
            f"{folder}: a Whisper checkpoint of transformers: convert it with"
            f" `ct2-transformers-converter --model {folder} --output_dir NEW --quantization int8"
            " --copy_files tokenizer.json`"
        )
    for name in ("config.json", "model.bin", "tokenizer.json"):
        if not (folder / name).is_file():
            raise RecogniserError(f"{folder}: no Whisper checkpoint: {name} is missing")


def _import_ctranslate2() -> Any:
    try:
        return importlib.import_module("ctranslate2")
    except ImportError as error:
        raise RecogniserError(
            f"ctranslate2 is missing ({error}): install the Python package ctranslate2"
        ) from error


def _tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises no narrower one
        raise RecogniserError(f"{folder}: tokenizer.json: {_line(error)}") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
