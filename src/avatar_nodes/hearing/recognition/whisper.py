"""Whisper through transformers, from a local folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from avatar_nodes.hearing.recognition.recogniser import RecogniserError, Recognition
from avatar_nodes.sound.audio_file import GRAPH_RATE, float_from_pcm

_WINDOW_S = 30
"""Whisper hears no more at a time; of a longer utterance, the last part counts."""


class WhisperRecogniser:
    """Any Whisper checkpoint in the format of transformers.

    The model hears the whole utterance anew for each text; a text is kept until more sound comes,
    so that an interim text asked for in a pause makes the final one ready.

    Args:
        folder: of the checkpoint; nothing is ever downloaded.
        language: BCP 47; empty: detected where the model knows several.
        device: torch device.
        threads: CPU threads of this process's arithmetic.

    Raises:
        RecogniserError: the folder, a file in it, the language or the device is not usable.
    """

    def __init__(
        self, folder: str | Path, *, language: str = "", device: str = "cpu", threads: int = 1
    ) -> None:
        if not str(folder):
            raise RecogniserError("whisper: expected the folder of a checkpoint, got nothing")
        if not Path(folder, "config.json").is_file():
            raise RecogniserError(f"{folder}: no Whisper checkpoint: config.json is missing")
        torch.set_num_threads(threads)
        from transformers import WhisperForConditionalGeneration, WhisperProcessor

        try:
            self._processor: Any = WhisperProcessor.from_pretrained(folder, local_files_only=True)
            model: Any = WhisperForConditionalGeneration.from_pretrained(
                folder, local_files_only=True
            )
            self._model = model.to(device).eval()
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise RecogniserError(f"{folder}: {reason[0]}") from error
        self._multilingual = bool(getattr(self._model.generation_config, "is_multilingual", False))
        self._language = self._known(language)
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
            self._heard = self._generate(float_from_pcm(sound))
        return self._heard

    @torch.inference_mode()
    def _generate(self, sound: np.ndarray) -> Recognition:
        inputs = self._processor(
            sound, sampling_rate=GRAPH_RATE, return_tensors="pt", return_attention_mask=True
        )
        features = inputs.input_features.to(self._model.device, self._model.dtype)
        language = self._language or self._detect(features)
        told = {"language": language, "task": "transcribe"} if self._multilingual else {}
        found = self._model.generate(
            features,
            attention_mask=inputs.attention_mask.to(self._model.device),
            return_dict_in_generate=True,
            output_scores=True,
            **told,
        )
        text = self._processor.decode(found.sequences[0], skip_special_tokens=True).strip()
        return Recognition(text, self._confidence(found), language)

    def _confidence(self, found: Any) -> float:
        scores = self._model.compute_transition_scores(
            found.sequences, found.scores, normalize_logits=True
        )
        finite = scores[0][torch.isfinite(scores[0])]
        return float(finite.mean().exp()) if len(finite) else 0.0

    def _detect(self, features: torch.Tensor) -> str:
        if not self._multilingual:
            return "en"
        token = self._model.detect_language(input_features=features)[0]
        return str(self._processor.tokenizer.decode([int(token)])).strip("<|>")

    def _known(self, language: str) -> str:
        """Whisper's own code of a BCP 47 language: the part before the region."""
        code = language.partition("-")[0].lower()
        known = getattr(self._model.generation_config, "lang_to_id", None) or {"<|en|>": 0}
        if code and f"<|{code}|>" not in known:
            raise RecogniserError(f"language {language!r}: the Whisper model does not know it")
        return code
