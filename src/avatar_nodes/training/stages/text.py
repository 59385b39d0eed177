"""Pre-trains the tiny text encoder on prompts that ask for actions; it is frozen afterwards.

The large model's umT5 comes pre-trained and stays as it is. Bytes without any pre-training tell
the transformer nothing: it would have to learn to read from pixels. Here every state, not only
their mean, learns to name the action and the object of its prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avatar_nodes.model.text import TextEncoder
from avatar_nodes.training.loop.run import TrainingRun
from avatar_nodes.world.motion import ACTIONS, SHOW
from avatar_nodes.world.objects import COLOURS, KINDS, PLACES, Thing
from avatar_nodes.world.phrases import compose_prompt
from avatar_nodes.world.prompts import (
    MAX_BYTES,
    sample_prompt,
    says_held_out,
    without_name,
)

MEANINGS: dict[str, tuple[str, ...]] = {
    "action": (*ACTIONS, SHOW),
    "kind": ("none", "it", *KINDS),
    "colour": ("none", "it", *COLOURS),
    "place": ("none", *PLACES),
}
"""Meanings of a prompt, and the values of each; "it": a thing that only memory knows."""

_BEFORE = ("now", "please", "here", "it", "she", "he", "then", "talks and", "speaks and", "gives")
_AFTER = (
    "now", "please", "again", "slowly", "gently", "a little", "to the camera", "once more",
    "while speaking", "while talking", "and speaks", "for the viewer", "and looks at us",
)  # fmt: skip
"""Words that say nothing of the action."""

_COMPOSED_SHARE = 0.6
_UNNAMED_SHARE = 0.2
"""Share of the prompts to show something that call it "it"."""


@dataclass(frozen=True)
class TextTraining:
    """Settings of pre-training the text encoder."""

    steps: int = 1600
    batch: int = 64
    learning_rate: float = 2e-3
    warmup: int = 60
    word_loss: float = 0.12
    """Probability that a word is left out, and that a letter is another one, times 1/3."""
    seed: int = 0


class PromptReader(nn.Module):
    """A text encoder with a linear reading of each meaning from every state."""

    def __init__(self, text: TextEncoder) -> None:
        super().__init__()
        self.text = text
        self.heads = nn.ModuleDict(
            {name: nn.Linear(text.text_dim, len(values)) for name, values in MEANINGS.items()}
        )

    def loss(self, texts: list[str], labels: Tensor) -> Tensor:
        """Cross-entropy of every meaning at the states' mean and, by half, at each state.

        labels int64 [B, 4], in the order of `MEANINGS`.
        """
        states = self.text.encode_batch(texts)
        there = states.abs().sum(-1) > 0
        total = states.new_zeros(())
        for column, head in enumerate(self.heads.values()):
            target = labels[:, column]
            total = total + F.cross_entropy(head(mean_state(states)), target)
            each = F.cross_entropy(
                head(states).transpose(1, 2),
                target[:, None].expand(there.shape),
                reduction="none",
            )
            total = total + 0.5 * (each * there).sum() / there.sum()
        return total

    @torch.no_grad()
    def read(self, texts: list[str]) -> list[dict[str, str]]:
        """The meanings that the encoder reads from each prompt."""
        mean = mean_state(self.text.encode_batch(texts))
        found: list[dict[str, str]] = [{} for _ in texts]
        for name, head in self.heads.items():
            for said, index in zip(found, head(mean).argmax(-1).tolist(), strict=True):
                said[name] = MEANINGS[name][index]
        return found


def mean_state(states: Tensor) -> Tensor:
    """Mean over a prompt's own states: [B, len, dim], zero past the end -> [B, dim]."""
    there = (states.abs().sum(-1, keepdim=True) > 0).sum(1).clamp_min(1)
    return states.sum(1) / there


def meaning_of(action: str, thing: Thing | None) -> dict[str, str]:
    """Meanings of a prompt for `action` (and the `thing` shown)."""
    if thing is None:
        return {"action": action, "kind": "none", "colour": "none", "place": "none"}
    return {"action": action, "kind": thing.kind, "colour": thing.colour, "place": thing.place}


def draw_prompt(rng: np.random.Generator, *, held_out: bool = False) -> tuple[str, dict[str, str]]:
    """A prompt and what it says; every action is as likely, showing is three times so."""
    names = (*ACTIONS, SHOW, SHOW, SHOW)
    action = names[int(rng.integers(len(names)))]
    thing = Thing.sample(rng) if action == SHOW else None
    said = meaning_of(action, thing)
    if not held_out and rng.random() < _COMPOSED_SHARE:
        text = compose_prompt(rng, action, thing)
    else:
        text = sample_prompt(rng, action, held_out=held_out, thing=thing)
    if thing is not None and rng.random() < _UNNAMED_SHARE:
        return without_name(text), said | {"kind": "it", "colour": "it"}
    return text, said


def reworded(rng: np.random.Generator, text: str, loss: float) -> str:
    """The prompt as another would write it: without its subject, with an aside, with mistakes."""
    words = text.rstrip(".").split()
    if rng.random() < 0.3 and len(words) > 3:
        words = words[1 if words[0] == "Someone" else 2 :]
    words = [word for word in words if rng.random() >= loss] or words
    if rng.random() < 0.25:
        words.insert(0, _BEFORE[int(rng.integers(len(_BEFORE)))])
    if rng.random() < 0.4:
        words.append(_AFTER[int(rng.integers(len(_AFTER)))])
    line = " ".join(words) + ("." if rng.random() < 0.7 else "")
    letters = [
        chr(97 + int(rng.integers(26))) if c.isalpha() and rng.random() < loss / 3 else c
        for c in (line.lower() if rng.random() < 0.3 else line)
    ]
    otherwise = "".join(letters)[:MAX_BYTES]
    return text if says_held_out(otherwise) else otherwise


def held_out_prompts(count: int = 400) -> Iterator[tuple[str, dict[str, str]]]:
    """Prompts in wordings that training never sees, the same ones at every call."""
    rng = np.random.default_rng(4242)
    for _ in range(count):
        yield draw_prompt(rng, held_out=True)


def accuracy(reader: PromptReader) -> dict[str, float]:
    """Share of held-out prompts whose meaning is read right, by meaning."""
    pairs = list(held_out_prompts())
    read = reader.read([text for text, _ in pairs])
    return {
        name: float(np.mean([r[name] == t[name] for r, (_, t) in zip(read, pairs, strict=True)]))
        for name in MEANINGS
    }


def train_text(
    options: TextTraining, *, folder: Path, text_dim: int, text_len: int, resume: bool
) -> dict[str, float]:
    """Train, export to `folder/export`; returns the accuracy on held-out wordings."""
    torch.manual_seed(options.seed)
    reader = PromptReader(TextEncoder.tiny(text_dim=text_dim, text_len=text_len))
    optimizer = torch.optim.AdamW(
        reader.parameters(), lr=options.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    run = TrainingRun(
        folder,
        state={"reader": reader, "optimizer": optimizer},
        steps=options.steps,
        resume=resume,
        print_every=50,
    )
    for step in run:
        rng = np.random.default_rng((options.seed, step))
        pairs = [draw_prompt(rng) for _ in range(options.batch)]
        labels = torch.tensor(
            [[MEANINGS[name].index(said[name]) for name in MEANINGS] for _, said in pairs]
        )
        scale = min(1.0, (step + 1) / options.warmup) * (1.0 - 0.98 * run.fraction)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * scale
        loss = reader.loss([reworded(rng, t, options.word_loss) for t, _ in pairs], labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        run.log({"loss": loss.item(), "grad": norm.item()})
        optimizer.step()
    if run.complete:
        reader.text.save(folder / "export")
    return accuracy(reader)
