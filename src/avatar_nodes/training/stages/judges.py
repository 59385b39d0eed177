"""Trains the judges of `avatar eval` on truth of the training split: sync, identity, actions, and
the mouths of lifelike people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.judging.action_net import JUDGED_ACTIONS, ActionNet, action_input
from avatar_nodes.judging.identity_net import IdentityNet
from avatar_nodes.judging.judge_folder import save_judge
from avatar_nodes.judging.lip_sync import correlate
from avatar_nodes.judging.mouth_net import MouthNet
from avatar_nodes.judging.sync_distance import sync_distance
from avatar_nodes.judging.syncnet import WINDOW_FRAMES, SyncNet
from avatar_nodes.training.data.judge_clips import (
    ALIKE_VIEWS,
    UNSURE,
    VIEWS,
    JudgeClips,
    read_portraits,
)
from avatar_nodes.training.data.judge_mouths import read_mouths
from avatar_nodes.training.loop.parameter_average import ParameterAverage
from avatar_nodes.training.loop.run import TrainingRun


@dataclass(frozen=True)
class JudgeTraining:
    """Settings of the judges' data and training.

    people_share: how many of a hundred clips and portraits show lifelike people, / 100; without any
    these judges refuse such people. mouths: lifelike people from whom the mouth judge learns; 0:
    there is none.
    """

    clips: int = 200
    val_clips: int = 12
    blocks: int = 8
    people: int = 700
    val_people: int = 60
    mouths: int = 0
    val_mouths: int = 16
    people_share: float = 0.0
    seed: int = 4
    sync_steps: int = 600
    identity_steps: int = 500
    action_steps: int = 800
    mouth_steps: int = 1000
    learning_rate: float = 2e-3


@dataclass(frozen=True)
class _Task:
    """One judge: its network, one step's loss and figures, and its figures on validation data."""

    name: str
    net: nn.Module
    steps: int
    loss: Callable[[np.random.Generator, torch.Generator], tuple[Tensor, dict[str, float]]]
    validate: Callable[[], dict[str, float]]
    config: dict[str, Any]


def train_judges(
    options: JudgeTraining, *, data: Path, folder: Path, resume: bool,
    timing: BlockTiming | None = None,
) -> dict[str, dict[str, float]]:  # fmt: skip
    """Train them one after another and export each to `folder/export`.

    data: what `write_judge_clips`, `write_portraits` and `write_mouths` made; timing: of those
    clips (None: the defaults). Returns the validation figures of the judges that are complete;
    Ctrl-C ends the whole, to go on with `resume`.
    """
    torch.manual_seed(options.seed)
    clips, val = JudgeClips.read(data, "train"), JudgeClips.read(data, "val")
    figures: dict[str, dict[str, float]] = {}
    tasks = [
        _sync_task(options, clips.speaking(), val.speaking()),
        _identity_task(options, read_portraits(data, "train"), read_portraits(data, "val")),
        _action_task(options, clips, val),
    ]
    if options.mouths:
        tasks.append(_mouth_task(read_mouths(data, "train"), read_mouths(data, "val"), options))
    for task in tasks:
        if not _train(task, options, folder / task.name, resume=resume):
            break
        figures[task.name] = task.validate()
        timed = (timing or BlockTiming()).to_config()
        seen = {"people_share": options.people_share, **task.config}
        config = {**seen, **timed, "validation": figures[task.name]}
        save_judge(folder / "export", task.name, task.net, config)
        shown = "  ".join(f"{name} {value:.3f}" for name, value in figures[task.name].items())
        print(f"judge {task.name}: {shown}", flush=True)
    return figures


def _train(task: _Task, options: JudgeTraining, folder: Path, *, resume: bool) -> bool:
    """Train to the averaged weights; False when it was stopped on the way."""
    optimizer = torch.optim.AdamW(
        task.net.parameters(), lr=options.learning_rate, betas=(0.9, 0.98), weight_decay=0.02
    )
    average = ParameterAverage(task.net, decay=0.99)
    run = TrainingRun(
        folder,
        state={"net": task.net, "optimizer": optimizer, "average": average},
        steps=task.steps,
        resume=resume,
    )
    for step in run:
        rng = np.random.default_rng((options.seed, step))
        generator = torch.Generator().manual_seed(options.seed * 1_000_003 + step)
        scale = min(1.0, (step + 1) / 50) * (0.02 + 0.98 * (1.0 - run.fraction))
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * scale
        loss, values = task.loss(rng, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(task.net.parameters(), 1.0)
        run.log({"loss": loss.item(), **values, "grad": norm.item()})
        optimizer.step()
        average.update(step)
    with torch.no_grad():
        for name, parameter in task.net.named_parameters():
            parameter.copy_(average.values[name])
    return run.complete


def degrade(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Spoil pictures [B, T, 3, h, w] in -1..1 as an autoencoder does: blur, a shift of level and
    contrast, noise; the same for all pictures of a row, and none for about a quarter of the rows.
    """
    rows = (len(pictures), 1, 1, 1, 1)
    amount = (1.35 * torch.rand(rows, generator=generator) - 0.35).clamp_min(0.0)
    flat = F.pad(pictures.flatten(0, 1), (1, 1, 1, 1), mode="replicate")
    soft = F.avg_pool2d(flat, 3, stride=1).unflatten(0, pictures.shape[:2])
    out = torch.lerp(pictures, soft, 0.9 * amount)
    level = 0.04 * amount * torch.randn(rows, generator=generator)
    contrast = 1.0 + 0.05 * amount * torch.randn(rows, generator=generator)
    noise = 0.03 * amount * torch.randn(pictures.shape, generator=generator)
    return out * contrast + level + noise


def sync_loss(video: Tensor, audio: Tensor, scale: float = 16.0) -> tuple[Tensor, float]:
    """Contrastive loss both ways of unit vectors [clips, windows, D], within each clip only, so
    that neither voice nor person can tell the pairs; and the share of windows matched rightly.
    """
    logits = scale * video @ audio.transpose(1, 2)
    target = torch.arange(logits.shape[1]).expand(len(logits), -1)
    loss = F.cross_entropy(logits, target) + F.cross_entropy(logits.transpose(1, 2), target)
    return 0.5 * loss, float((logits.argmax(dim=2) == target).float().mean())


def identity_loss(vectors: Tensor, people: Tensor, scale: float = 10.0) -> tuple[Tensor, float]:
    """Supervised contrastive loss (Khosla et al., 2020, eq. 2) of unit vectors [B, D] of `people`
    [B], and a pull towards similarity 1 within a person; and the mean similarity within a person.
    """
    similarity = vectors @ vectors.T
    itself = torch.eye(len(vectors), dtype=torch.bool)
    same = (people[:, None] == people[None]) & ~itself
    logits = (scale * similarity).masked_fill(itself, -torch.inf)
    log_share = logits - logits.logsumexp(dim=1, keepdim=True)
    contrast = -(log_share.masked_fill(~same, 0.0).sum(dim=1) / same.sum(dim=1)).mean()
    within = similarity[same].mean()
    return contrast + 2.0 * (1.0 - within), float(within.detach())


def _sync_task(options: JudgeTraining, clips: JudgeClips, val: JudgeClips) -> _Task:
    net = SyncNet()
    windows, span, rows = 20, 40, 12

    def batch(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        mouths, columns = [], []
        for _ in range(rows):
            clip = clips.clips[int(rng.integers(len(clips.clips)))]
            last = len(clip["mouths"]) - span - WINDOW_FRAMES + 1
            first = max(
                (int(rng.integers(last)) for _ in range(2)),
                key=lambda n: clip["aperture"][n : n + span].mean(),
            )
            starts = first + np.sort(rng.permutation(span)[:windows])
            index = starts[:, None] + np.arange(WINDOW_FRAMES)
            gain = float(rng.uniform(-8, 8)) / 30.0
            sound = clip["columns"].astype(np.float32)
            sound = np.where(sound <= -0.999, sound, np.maximum(sound + gain, -1.0))
            picture = clip["mouths"][index]
            mouths.append(picture[..., ::-1, :] if rng.random() < 0.5 else picture)
            columns.append(sound[index])
        return _pixels(np.stack(mouths)), torch.from_numpy(np.stack(columns)).float()

    def loss(
        rng: np.random.Generator, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        mouths, columns = batch(rng)  # [rows, windows, 5, 3, h, w], [rows, windows, 5, 160]
        mouths = degrade(mouths.flatten(1, 2), generator).unflatten(1, (windows, WINDOW_FRAMES))
        with torch.autocast("cpu", torch.bfloat16):
            video = net.embed_video(mouths.flatten(0, 1))
            audio = net.embed_audio(columns.flatten(0, 1))
        shape = (rows, windows)
        value, matched = sync_loss(
            video.float().unflatten(0, shape), audio.float().unflatten(0, shape)
        )
        return value, {"matched": matched}

    @torch.inference_mode()
    def validate() -> dict[str, float]:
        found = []
        for clip in val.clips:
            index = np.arange(len(clip["mouths"]) - WINDOW_FRAMES + 1)[:, None]
            index = index + np.arange(WINDOW_FRAMES)
            columns = torch.from_numpy(clip["columns"][index]).float()
            video = net.embed_video(_pixels(clip["mouths"][index]))
            found.append(sync_distance(video, net.embed_audio(columns)))
        return {
            "sync_c": float(np.mean([f.confidence for f in found])),
            "sync_d": float(np.mean([f.distance for f in found])),
            "offset_right": float(np.mean([f.offset == 0 for f in found])),
        }

    return _Task("syncnet", net, options.sync_steps, loss, validate, {"mels": net.mels})


def _identity_task(options: JudgeTraining, people: np.ndarray, val: np.ndarray) -> _Task:
    net = IdentityNet()
    groups = 24
    who = torch.tensor([0] * (VIEWS - 1) + [1] * ALIKE_VIEWS)

    def loss(
        rng: np.random.Generator, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        rows = rng.choice(len(people), size=min(groups, len(people)), replace=False)
        views = [*rng.permutation(VIEWS)[: VIEWS - 1], *range(VIEWS, VIEWS + ALIKE_VIEWS)]
        pictures = degrade(_pixels(people[rows][:, views]).flatten(0, 1)[:, None], generator)[:, 0]
        labels = (2 * torch.arange(len(rows))[:, None] + who).flatten()
        with torch.autocast("cpu", torch.bfloat16):
            vectors = net(pictures)
        value, within = identity_loss(vectors.float(), labels)
        return value, {"within": within}

    @torch.inference_mode()
    def validate() -> dict[str, float]:
        vectors = net(_pixels(val).flatten(0, 1)).unflatten(0, val.shape[:2])
        first = vectors[:, 0]
        between = first @ first.T
        others = between[~torch.eye(len(first), dtype=torch.bool)]
        return {
            "same": float((first[:, None] * vectors[:, 1:VIEWS]).sum(-1).mean()),
            "alike": float((first[:, None] * vectors[:, VIEWS:]).sum(-1).mean()),
            "other": float(others.mean()),
            "other_max": float(others.max()),
        }

    return _Task("identity", net, options.identity_steps, loss, validate, {})


def _action_task(options: JudgeTraining, clips: JudgeClips, val: JudgeClips) -> _Task:
    net = ActionNet(JUDGED_ACTIONS)
    rows, length = 8, 18

    def inputs(clip: dict[str, np.ndarray], first: int, count: int, flip: bool) -> list[np.ndarray]:
        moments = [0, *range(first + 1, first + count + 1)]  # picture 0 is the reference
        pictures = [clip[name][moments] for name in ("bodies", "faces")]
        return [p[:, :, ::-1] if flip else p for p in pictures]

    def prepared(pictures: Tensor) -> Tensor:
        return action_input(pictures[:, 1:], pictures[:, :1])

    def loss(
        rng: np.random.Generator, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        bodies, faces, labels = [], [], []
        for _ in range(rows):
            clip = clips.clips[int(rng.integers(len(clips.clips)))]
            count = min(length, len(clip["labels"]))
            first = int(rng.integers(len(clip["labels"]) - count + 1))
            body, face = inputs(clip, first, count, bool(rng.random() < 0.5))
            bodies.append(body)
            faces.append(face)
            labels.append(clip["labels"][first : first + count])
        pair = [prepared(degrade(_pixels(np.stack(x)), generator)) for x in (bodies, faces)]
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(*pair)
        target = torch.from_numpy(np.stack(labels)).long()
        value = F.cross_entropy(logits.float().flatten(0, 1), target.flatten(), ignore_index=UNSURE)
        return value, {"right": _share_right(logits, target)}

    @torch.inference_mode()
    def validate() -> dict[str, float]:
        shares = []
        for clip in val.clips:
            pair = [_pixels(x)[None] for x in inputs(clip, 0, len(clip["labels"]), False)]
            target = torch.from_numpy(clip["labels"]).long()[None]
            shares.append(_share_right(net(*[prepared(x) for x in pair]), target))
        return {"accuracy": float(np.mean(shares))}

    return _Task(
        "actions", net, options.action_steps, loss, validate, {"actions": list(JUDGED_ACTIONS)}
    )


def _mouth_task(
    mouths: tuple[np.ndarray, np.ndarray], val: tuple[np.ndarray, np.ndarray],
    options: JudgeTraining,
) -> _Task:  # fmt: skip
    net = MouthNet()
    views, shapes = mouths
    rows = 32

    def loss(
        rng: np.random.Generator, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        chosen = rng.integers(len(views), size=rows)
        pictures = degrade(_pixels(views[chosen])[:, None], generator)[:, 0]
        if rng.random() < 0.5:
            pictures = pictures.flip(-1)
        with torch.autocast("cpu", torch.bfloat16):
            said = net(pictures)
        error = (said.float() - torch.from_numpy(shapes[chosen])).square().mean(dim=0)
        return error.sum(), {"aperture": error[0].item() ** 0.5, "rounding": error[1].item() ** 0.5}

    @torch.inference_mode()
    def validate() -> dict[str, float]:
        said = torch.cat([net(_pixels(part)) for part in np.array_split(val[0], 8)]).numpy()
        return {
            f"{name}_corr": correlate(said[:, column], val[1][:, column])
            for column, name in enumerate(("aperture", "rounding"))
        }

    return _Task("mouth", net, options.mouth_steps, loss, validate, {"people_share": 1.0})


def _share_right(logits: Tensor, target: Tensor) -> float:
    sure = target != UNSURE
    return float((logits.argmax(dim=-1)[sure] == target[sure]).float().mean())


def _pixels(pictures: np.ndarray) -> Tensor:
    """uint8 [..., h, w, 3] -> float32 [..., 3, h, w] in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).movedim(-1, -3).float().div(127.5) - 1.0
