"""The evaluations on performers whose quality is known: truth, stills, late and faded truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.evaluation.actions import (
    BEFORE,
    DURING,
    Performed,
    action_clips,
    judge_action,
    summarise_actions,
)
from avatar_nodes.evaluation.identity import evaluate_identity, likeness
from avatar_nodes.evaluation.performers import NeighbourPerformer, StillPerformer, TruthPerformer
from avatar_nodes.evaluation.quality import against, evaluate_quality
from avatar_nodes.evaluation.report import markdown_rows, write_json
from avatar_nodes.evaluation.sync import evaluate_sync, voice_rows
from avatar_nodes.judging.action_net import JUDGED_ACTIONS
from avatar_nodes.judging.clip_sync import speaking_clips
from avatar_nodes.judging.footage import Footage
from avatar_nodes.judging.recordings import RecordingsError
from avatar_nodes.world.clips import Clip, Film
from avatar_nodes.world.speech import synthesise

BLOCKS = 5


@lru_cache
def truth(seed: int) -> Footage:
    """Rendered once for all tests; `seed` is that of the clip."""
    return Footage.truth(next(c for c in clips() if c.spec.seed == seed))


@lru_cache
def clips() -> tuple[Clip, ...]:
    return tuple(speaking_clips(2, BLOCKS, "test"))


class Late:
    """The truth, some frames late: its first frame stands still until then."""

    evaluations = None

    def __init__(self, frames: int) -> None:
        self.name = f"{frames} late"
        self._frames = frames

    def perform(self, clip: Clip, *, seed: int = 0) -> Footage:
        known = clip.spec.seed in {one.spec.seed for one in clips()}
        frames = (truth(clip.spec.seed) if known else Footage.truth(clip)).frames
        still = np.repeat(frames[:1], self._frames, axis=0)
        return Footage.of(clip, np.concatenate([still, frames[: len(frames) - self._frames]]))


class Fading:
    """The truth, ever redder and in the end grey."""

    name = "fading"
    evaluations = None

    def perform(self, clip: Clip, *, seed: int = 0) -> Footage:
        frames = truth(clip.spec.seed).frames.astype(np.float32)
        share = np.linspace(0.0, 1.0, len(frames), dtype=np.float32)[:, None, None, None]
        return Footage.of(clip, ((1 - share) * frames + share * [180, 128, 128]).astype(np.uint8))


class Thumbnails:
    """An identity judge by eye: an 8x8 picture, its mean taken out."""

    name = "thumbnails"

    def embed(self, frames: np.ndarray) -> Tensor:
        pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
        small = F.adaptive_avg_pool2d(pixels, 8).flatten(1)
        return F.normalize(small - small.mean(dim=1, keepdim=True) + 1e-3, dim=1)


class Apertures:
    """A sync judge that measures the mouth and knows the true one from the loudness of nothing: it
    embeds five apertures; its "sound" is the truth of the clip with as many frames and that sound.
    """

    pad = False

    def embed(self, footage: Footage) -> tuple[Tensor, Tensor]:
        clip = next(c for c in clips() if np.array_equal(c.sound, footage.sound))
        return _windows(footage.apertures()), _windows(clip.aperture)


def _windows(series: np.ndarray) -> Tensor:
    return torch.from_numpy(series.astype(np.float32)).unfold(0, 5, 1)


def test_sync_ranks_truth_over_late_over_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_nodes.evaluation.sync.speaking_clips", _two_clips)
    told: list[str] = []
    figures = evaluate_sync(
        Late(3), [Late(0), StillPerformer()], clips=2, blocks=BLOCKS,
        voices=voice_rows(unheard=1, others=0, speech=None, blocks=BLOCKS, split="test"),
        judge=Apertures(), tell=told.append,
    )  # fmt: skip
    assert figures["lag_frames"] == figures["lag_frames_worst"] == 3
    assert figures["sync_offset"] == 3
    perfect, still = figures["baselines"]["0 late"], figures["baselines"]["copy of the reference"]
    assert perfect["aperture_corr"] > 0.97 and perfect["lag_frames"] == 0
    assert perfect["sync_offset"] == 0 and perfect["sync_c"] > 3 * still["sync_c"]
    # Sync-D is taken at the best shift, so that lateness alone does not raise it.
    assert figures["sync_d"] == pytest.approx(perfect["sync_d"], abs=0.02)
    assert perfect["sync_d"] + 0.1 < still["sync_d"]
    assert figures["aperture_corr"] < 0.7 < perfect["aperture_corr"]
    assert still["aperture_corr"] == 0.0 and still["speech_aperture"] < 0.1
    assert perfect["closed_share"] == 1.0
    assert figures["closed_share"] < 0.8, "lips that close too late"
    assert still.get("closed_share", 1.0) == 1.0, "and those that never open are closed, too"
    assert figures["unheard_voice_corr"] == figures["unheard_voices"]["aperture_corr"]
    assert len(figures["per_clip"]) == 2 and len(told) == 7 and told[-1].startswith("7/7")


def _two_clips(
    count: int, blocks: int, split: str, *, unheard_voice: bool = False,
    other_voice: bool = False, timing: BlockTiming | None = None, film: Film = Clip,
) -> Iterator[Clip]:  # fmt: skip
    assert blocks == BLOCKS and split == "test" and timing is None and film is Clip
    yield from clips()[:count]


def test_unheard_voices_are_apart_from_the_others() -> None:
    one = next(iter(speaking_clips(1, BLOCKS, "test", unheard_voice=True)))
    assert one.spec.unheard_voice
    assert not np.array_equal(one.sound, clips()[0].sound)


def test_recordings_with_their_words_are_clips(tmp_path: Path) -> None:
    text = "Mary brought the blue paper to my room."
    said = synthesise(text, voice="en-us+f3", rate=130, sample_rate=22_050)
    soundfile.write(tmp_path / "mary.flac", said.samples, said.sample_rate)
    (tmp_path / "mary.txt").write_text(text)
    (tmp_path / "no_words.wav").touch()
    voices = voice_rows(unheard=0, others=0, speech=tmp_path, blocks=BLOCKS, split="test")
    found = {
        late: evaluate_sync(Late(late), [], clips=1, blocks=BLOCKS, voices=voices, tell=str)
        for late in (0, 3)
    }
    assert found[0]["recordings"]["clips"] == 1
    assert found[0]["recording_corr"] > 0.97 > 0.7 > found[3]["recording_corr"]
    assert found[0]["recordings"]["lag_frames"] == 0
    assert found[3]["recordings"]["lag_frames"] == 3
    (clip,) = voices[0].clips
    own = Clip(clip.spec, speech=replace(said, samples=clip.sound, sample_rate=16_000)).aperture
    assert np.corrcoef(own, clip.aperture)[0, 1] > 0.6, "espeak-ng's own times"
    assert clip.spec.actions == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [(None, "no NAME.wav with its words"), ("Something else entirely, my friend.", "a.wav: ")],
)
def test_recordings_that_cannot_be_used_are_named(
    tmp_path: Path, words: str | None, said: str
) -> None:
    soundfile.write(tmp_path / "a.wav", synthesise("Yes.").samples, 16_000)
    if words is not None:
        (tmp_path / "a.txt").write_text(words)
    with pytest.raises(RecordingsError, match=said):
        voice_rows(unheard=0, others=0, speech=tmp_path, blocks=BLOCKS, split="test")


def test_identity_sees_what_fades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_nodes.evaluation.identity.speaking_clips", _two_clips)
    figures = evaluate_identity(
        [Fading(), Late(0), StillPerformer()], Thumbnails(), clips=2, blocks=BLOCKS,
        tell=lambda line: None,
    )  # fmt: skip
    still = figures["baselines"]["copy of the reference"]
    true = figures["baselines"]["0 late"]
    assert still["start"] == pytest.approx(1.0) and still["drift"] == pytest.approx(0.0, abs=1e-6)
    assert still["colour_end"] == 0.0 and still["sharpness_end"] == pytest.approx(1.0)
    assert true["start"] > 0.9 and abs(true["drift"]) < 0.05
    assert figures["drift"] == pytest.approx(figures["start"] - figures["end"])
    assert figures["end"] < true["end"] - 0.01 and figures["colour_drift"] > 10
    assert figures["sharpness_end"] < 0.8
    assert figures["other_people"] < 0.9


def test_likeness_of_short_footage() -> None:
    clip = clips()[0]
    found = likeness(truth(clip.spec.seed).part(0, 1), clip.reference(), Thumbnails())
    assert found.start == found.end == found.mean


class KnowingJudge:
    """An action judge that says what it is told, by frame."""

    actions = JUDGED_ACTIONS

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def logits(self, footage: Footage, reference: Footage) -> np.ndarray:
        out = np.zeros((len(self._said), len(self.actions)), np.float32)
        for row, name in enumerate(self._said):
            out[row, self.actions.index(name)] = 8.0
        return out


@pytest.mark.parametrize(
    ("delay", "stays", "seen", "delay_found", "rests"),
    [
        (10, 0, "wave", 10, True),
        (2, 40, "wave", 2, False),
        (1000, 0, "rest", None, True),
        (58, 40, "rest", None, False),
    ],
)
def test_an_action_is_seen_begins_and_ends(
    delay: int, stays: int, seen: str, delay_found: int | None, rests: bool
) -> None:
    clip = list(islice(action_clips(JUDGED_ACTIONS, 1), 2))[1]
    frames = np.arange(0, clip.spec.blocks * 12, 2)
    first, last = 12 * BEFORE, 12 * (BEFORE + DURING)
    waves = (frames >= first + delay) & (frames < last + stays)
    judge = KnowingJudge(["wave" if wave else "rest" for wave in waves])
    still = np.repeat(clip.reference()[None], 144, axis=0)
    found = judge_action("wave", clip, Footage.of(clip, still), judge)  # type: ignore[arg-type]
    assert found.seen == seen and found.right == (seen == "wave")
    assert found.delay_frames == delay_found
    assert found.at_rest_after == rests
    assert clip.spec.actions == (("wave", 3, 8),) and clip.spec.split == "test"


def test_summary_of_actions_counts_gestures_apart_from_rest() -> None:
    results = [
        Performed("rest", "p", "rest", None, True),
        Performed("nod", "p", "nod", 8, True),
        Performed("wave", "p", "rest", None, True),
        Performed("shrug", "p", "shrug", 12, False),
    ]
    assert summarise_actions(results) == {
        "clips": 4, "accuracy": 0.75, "gestures_accuracy": pytest.approx(2 / 3),
        "begins": pytest.approx(2 / 3), "start_delay_frames": 10.0, "ends": pytest.approx(2 / 3),
    }  # fmt: skip


def test_quality_of_the_truth_is_perfect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_nodes.evaluation.quality.speaking_clips", _two_clips)
    figures = evaluate_quality(
        [Fading(), TruthPerformer()], clips=1, blocks=BLOCKS, identity=None, actions=None,
        pictures=[Brightness()], tell=lambda line: None,
    )  # fmt: skip
    true, fading = figures["systems"]["truth"], figures["systems"]["fading"]
    assert true["psnr"] == pytest.approx(100.0) and true["ssim"] == pytest.approx(1.0)
    assert fading["psnr"] < 30 and fading["ssim"] < 0.95
    assert true["brightness"] != fading["brightness"]


def test_against_another_system() -> None:
    systems = {
        "model": {"psnr": 20.0, "ssim": 0.9, "evaluations": 4, "fvd": 3.0},
        "teacher": {"psnr": 30.0, "ssim": 0.6, "evaluations": 40, "fvd": 0.0},
    }
    assert against(systems, "model", "teacher") == {
        "error": pytest.approx(10.0), "psnr": pytest.approx(2 / 3), "ssim": pytest.approx(1.5),
        "evaluations": pytest.approx(0.1),
    }  # fmt: skip


class Brightness:
    name = "brightness"

    def score(self, frames: np.ndarray) -> float:
        assert len(frames) == BLOCKS
        return float(frames.mean())


def test_a_neighbour_of_a_training_clip_is_that_clip() -> None:
    lookup = NeighbourPerformer(clips=2, blocks=2)
    found = lookup.perform(lookup._clips[1])
    assert np.array_equal(found.frames[20], lookup._clips[1].frame(20))
    assert len(found) == 24 and found.boxes[20] == lookup._clips[1].search_box


def test_tables_and_json(tmp_path: Path) -> None:
    rows = {"a": {"x": 0.12345, "n": 3, "list": [1]}, "b": {"x": None, "y": 1234.5}}
    assert markdown_rows("who", rows).splitlines() == [
        "| who | x | n | y |", "|---|---|---|---|", "| a | 0.123 | 3 |  |", "| b |  |  | 1234.5 |",
    ]  # fmt: skip
    write_json(tmp_path / "deep" / "f.json", rows)
    assert json.loads((tmp_path / "deep" / "f.json").read_text()) == rows
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "f.json", {"x": float("nan")})
