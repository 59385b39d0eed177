"""wav2vec 2.0 as the talking model listens through it: every layer's hidden states of a sound."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor
from transformers import Wav2Vec2Config, Wav2Vec2Model

from avatar_nodes.model.load_tensors import Spelling, check_tensors, load_tensors
from avatar_nodes.model.tensor_files import CheckpointError, tensor_shapes

SAMPLE_RATE = 16_000
"""Samples a second that the published models were trained to hear."""
HOP = 320
"""Samples from one hidden state to the next (50 a second)."""
RECEPTIVE = 400
"""Samples that one hidden state's convolutions cover: state k those from 320k on."""
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_WHOLE_MODEL = "wav2vec2."
# The speech recogniser's last layer, and what training masks with.
_UNUSED = re.compile(r"lm_head\..+|(wav2vec2\.)?masked_spec_embed")
_NORMED = re.compile(r"parametrizations\.weight\.original([01])")
_OLD_NAME = {"0": "weight_g", "1": "weight_v"}
_LEAST_VARIANCE = 1e-7


class Wav2Vec:
    """All hidden states of a wav2vec 2.0 model."""

    def __init__(self, model: Wav2Vec2Model) -> None:
        self._model = model
        like = next(model.parameters())
        self._device, self._dtype = like.device, like.dtype

    @property
    def layers(self) -> int:
        """Hidden states at a time: the input of the first layer and the output of each."""
        return int(self._model.config.num_hidden_layers) + 1

    @property
    def dim(self) -> int:
        return int(self._model.config.hidden_size)

    @torch.inference_mode()
    def hidden_states(self, samples: Tensor, *, is_levelled: bool = False) -> Tensor:
        """float32 [n] at 16 kHz, n >= 400 -> float32 [layers, D, (n - 400) // 320 + 1], CPU.

        The sound is brought to mean 0 and variance 1 first, as the model was trained; is_levelled:
        its speech has that variance already.
        """
        x = samples.float()
        centred = x - x.mean()
        if not is_levelled:
            centred = centred / (x.var(unbiased=False) + _LEAST_VARIANCE).sqrt()
        x = centred[None].to(self._device, self._dtype)
        states = self._model(x, output_hidden_states=True).hidden_states
        return torch.cat(states).float().cpu().transpose(1, 2)


def load_wav2vec(
    folder: Path, *, dtype: torch.dtype = torch.float32, device: str = "cpu"
) -> Wav2Vec:
    """Reads `config.json` and the weights of a wav2vec 2.0 model, with or without a recogniser.

    Raises:
        CheckpointError: a file is missing or broken, or a tensor missing, extra or misshapen.
    """
    model = _without_weights(folder)
    path = _weights(folder)
    load_tensors(model, [path], dtype=dtype, device=device, spelling=_spelling(path))
    return Wav2Vec(model.eval().requires_grad_(False))


def check_wav2vec(folder: Path) -> Wav2Vec2Model:
    """The model on the meta device, if the file holds its tensors. Raises CheckpointError."""
    model = _without_weights(folder)
    path = _weights(folder)
    check_tensors(model, [path], spelling=_spelling(path))
    return model


def _without_weights(folder: Path) -> Wav2Vec2Model:
    try:
        config = Wav2Vec2Config.from_json_file(folder / "config.json")
        config.mask_time_prob = config.mask_feature_prob = 0.0  # of training: leaves a tensor out
        with torch.device("meta"):
            return Wav2Vec2Model(config)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{folder / 'config.json'}: is no wav2vec 2.0 config: {reason}"
        ) from error


def _weights(folder: Path) -> Path:
    for name in _WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise CheckpointError(f"{folder}: has neither {' nor '.join(_WEIGHTS)}")


def _spelling(path: Path) -> Spelling:
    """Names differ with the age of the file (weight norm) and with what it was saved from."""
    names = tensor_shapes(path)
    before = _WHOLE_MODEL if any(name.startswith(_WHOLE_MODEL) for name in names) else ""
    old = any(name.endswith(".weight_g") for name in names)

    def published(name: str) -> str:
        return before + (_NORMED.sub(lambda m: _OLD_NAME[m[1]], name) if old else name)

    return Spelling(published=published, unused=_UNUSED)
