"""Long runs and ablations on a stream whose latents are its sound and whose decoder is known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from avatar_nodes.block.block import Prompt
from avatar_nodes.evaluation.ablation import (
    Row,
    ablation_rows,
    evaluate_ablation,
    is_worse,
    many_steps,
    select_rows,
)
from avatar_nodes.evaluation.long_run import SEGMENT_BLOCKS, LongRun, segment_starts
from avatar_nodes.evaluation.long_speech import LongSpeech
from avatar_nodes.evaluation.performers import StreamPerformer
from avatar_nodes.evaluation.report import write_json
from avatar_nodes.world.mouth import INTERIOR

SIGMAS = [1.0, 0.9, 0.75, 0.5, 0.0]


class Prompts:
    def encode(self, text: str) -> Prompt:
        return Prompt(id=text, text=text, states=torch.zeros(1))


class EchoStream:
    """A latent is the number of its block and the segment's frames it would show."""

    def __init__(self, fade: float = 0.0) -> None:
        self.fade = fade
        self.heard: list[np.ndarray] = []
        self.prompts: list[tuple[int, str]] = []

    def start(self, reference: np.ndarray, prompt: Prompt, *, seed: int = 0) -> None:
        self.heard, self.prompts = [], [(0, prompt.text)]

    def set_prompt(self, prompt: Prompt) -> None:
        self.prompts.append((len(self.heard), prompt.text))

    def denoise_block(self, samples: np.ndarray) -> Tensor:
        self.heard.append(samples)
        return torch.full((1, 3, 1, 1), float(len(self.heard) - 1) * self.fade)


class PaintingDecoder:
    """Shows the reference, darker by what the latent says, its mouth as the segment's truth."""

    looks_at_reference = False

    def __init__(self, speech: LongSpeech) -> None:
        self._clip = speech.clip
        self._reference = speech.clip.reference().astype(np.float32)
        self.warmed: list[list[float]] = []

    def reset(self) -> None:
        self.warmed.append([])

    def begin(self, sink: Tensor) -> None:
        self.reset()
        self.decode(sink)

    def encode_reference(self, image: np.ndarray) -> Tensor:
        return torch.full((1, 1, 1, 1), -1.0)

    def decode(self, latent: Tensor) -> np.ndarray:
        value = float(latent.flatten()[0])
        self.warmed[-1].append(value)
        block = (len(self.warmed[-1]) - self._lead()) % SEGMENT_BLOCKS
        return np.stack([self._frame(block * 12 + i, value) for i in range(12)])

    def _lead(self) -> int:
        return 1 + (1 if self.warmed[-1][0] == -1.0 else 2)

    def _frame(self, n: int, fade: float) -> np.ndarray:
        mean, fade = self._reference.mean(), max(0.0, fade)  # darker, and a little flatter
        frame = mean - fade + (self._reference - mean) * (1.0 - fade / 1000.0)
        x0, y0, x1, y1 = self._clip.search_box
        middle, height = (y0 + y1) // 2, round(11 * float(self._clip.aperture[n]))
        frame = np.clip(frame, 0, 255)
        frame[middle - height : middle + height, x0 + 15 : x1 - 15] = INTERIOR
        return frame.astype(np.uint8)


class Eye:
    """Identity by brightness."""

    name = "eye"

    def embed(self, frames: np.ndarray) -> Tensor:
        light = torch.from_numpy(frames[:, :40].mean(axis=(1, 2, 3))) / 255.0
        return torch.stack([light.cos(), light.sin()], dim=1).float()


@pytest.fixture(scope="module")
def speech() -> LongSpeech:
    return LongSpeech(SEGMENT_BLOCKS, minutes=0.4)


def long_run(speech: LongSpeech, stream: EchoStream) -> tuple[LongRun, PaintingDecoder]:
    decoder = PaintingDecoder(speech)
    model = StreamPerformer(stream, Prompts(), evaluations=4)  # type: ignore[arg-type]
    return LongRun(model, decoder, speech, identity=Eye(), sync=None), decoder


def test_segments_are_where_the_papers_look() -> None:
    assert segment_starts(10_000, 0.48) == [0, 208, 2083, 20833]
    assert segment_starts(999, 0.48) == [0, 208, 2060]  # its last ten seconds
    assert segment_starts(110, 0.48) == [0, 208]
    with pytest.raises(ValueError, match="shortest"):
        segment_starts(9, 0.48)


def test_a_stream_that_holds_is_the_same_at_its_end(speech: LongSpeech) -> None:
    stream = EchoStream()
    run, decoder = long_run(speech, stream)
    figures = run.run([0, 60], blocks=100, tell=lambda line: None)
    assert len(stream.heard) == 100 and figures["seconds"] == pytest.approx(48.0)
    first, last = figures["segments"]
    assert first["start_s"] == 0.0 and last["start_s"] == pytest.approx(28.8)
    assert first["aperture_corr"] == last["aperture_corr"] > 0.95
    assert first["identity"] == last["identity"] == pytest.approx(1.0, abs=1e-5)
    assert figures["identity_drift"] == 0.0 == figures["colour_drift"]
    assert figures["block_ms_first"] > 0 and figures["block_ms_last"] > 0
    assert figures["rss_mb_first"] > 10 and figures["rss_mb_last"] > 10
    # Each segment says the same; between them the stream says something else.
    assert np.array_equal(np.concatenate(stream.heard[:21]), np.concatenate(stream.heard[60:81]))
    assert not np.array_equal(stream.heard[21], stream.heard[0])
    # Only the segments are decoded, from the reference or from the two latents before them.
    assert [len(values) for values in decoder.warmed if values] == [22, 23]


def test_latents_that_are_no_numbers_do_not_cost_the_run_its_figures(
    speech: LongSpeech, tmp_path: Path
) -> None:
    run, _ = long_run(speech, EchoStream(fade=math.inf))
    told: list[str] = []
    figures = run.run([0, 60], tell=told.append)
    assert [segment["latent_rms"] for segment in figures["segments"]] == [None, None]
    assert "no longer finite" in told[0]
    write_json(tmp_path / "long.json", figures)


def test_a_segment_asks_for_rest_some_blocks_before(speech: LongSpeech) -> None:
    stream = EchoStream()
    run, _ = long_run(speech, stream)
    run.run([0, 60], tell=lambda line: None)
    asked = dict(stream.prompts)
    rest = speech.rest_prompt
    at = lambda block: asked[max(n for n in asked if n <= block)]  # noqa: E731
    assert all(at(n) == rest for n in [*range(21), *range(54, 81)])
    assert any(at(n) != rest for n in range(21, 54))


def test_a_stream_that_darkens_drifts(speech: LongSpeech) -> None:
    run, decoder = long_run(speech, EchoStream(fade=0.5))
    figures = run.run([0, 60], tell=lambda line: None)
    # Blocks 58 and 59 warm the decoder, 60 is the first one shown.
    assert decoder.warmed[-1][:3] == [29.0, 29.5, 30.0]
    assert figures["identity_drift"] > 0.003
    assert figures["colour_drift"] == pytest.approx(30.0, abs=4.0)
    assert figures["segments"][1]["latent_rms"] > figures["segments"][0]["latent_rms"]


def test_rows_switch_parts_off_in_the_profile() -> None:
    rows = {row.name: row for row in ablation_rows(SIGMAS)}
    assert rows["full"].values == {} and not rows["full"].trained
    assert rows["no_aas"].values == {"adaptive_sink": False}
    assert rows["no_rolling_rope"].values == {"rolling_rope": False}
    assert rows["clean_kv"].values == {"kv_cache": "clean"} and rows["clean_kv"].trained
    assert rows["fewer_steps"].values == {"sigmas": [1.0, 0.75, 0.5, 0.0]}
    assert rows["no_history_corrupt"].trained and rows["no_distillation"].trained
    levels = many_steps(40)
    assert len(levels) == 41 and levels[0] == 1.0 and levels[-1] == 0.0
    assert levels[20] == pytest.approx(0.75)  # the middle of an even schedule, shifted by 3


def test_unknown_rows_are_refused_and_full_is_always_there() -> None:
    rows = ablation_rows(SIGMAS)
    assert [row.name for row in select_rows(rows, ["clean_kv"])] == ["full", "clean_kv"]
    with pytest.raises(ValueError, match="unknown row 'no_brain'"):
        select_rows(rows, ["no_brain"])


@pytest.mark.parametrize(
    ("metric", "without", "worse"),
    [
        ("identity_last", [0.80, 0.82, 0.81], True),
        ("identity_last", [0.95, 0.94, 0.96], False),
        ("identity_last", [0.80, 0.99, 0.90], None),  # the persons do not agree
        ("colour_last", [0.95, 0.94, 0.96], True),
        ("sync_d_last", [0.95, 0.94, 0.96], None),  # not measured
    ],
)
def test_a_row_is_worse_where_the_persons_agree_on_it(
    metric: str, without: list[float], worse: bool | None
) -> None:
    full = [{"identity_last": 0.90, "colour_last": 0.90}] * 3
    row = [{"identity_last": value, "colour_last": value} for value in without]
    assert is_worse(metric, row, full) is worse
    assert is_worse(metric, row[:1], full[:1]) is None, "one person alone says nothing"


def test_the_table_says_what_is_worse_and_what_was_not_measured(
    speech: LongSpeech, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "avatar_nodes.evaluation.ablation.LongSpeech", lambda *args, **options: speech
    )
    built: list[tuple[str, Path | None]] = []

    def build(row: Row, folder: Path | None) -> tuple[StreamPerformer, Any]:
        built.append((row.name, folder))
        stream = EchoStream(fade=0.0 if row.name == "full" else 0.5)
        model = StreamPerformer(stream, Prompts(), evaluations=4)  # type: ignore[arg-type]
        return model, PaintingDecoder(speech)

    rows = [row for row in ablation_rows(SIGMAS) if row.name in ("full", "no_aas") or row.trained]
    figures = evaluate_ablation(
        rows, build, seconds=30, identity=Eye(), sync=None,
        checkpoints={"no_history_corrupt": Path("trained")}, seeds=3, tell=lambda line: None,
    )  # fmt: skip
    assert built == [("full", None), ("no_aas", None), ("no_history_corrupt", Path("trained"))]
    assert figures["rows"]["full"]["worse"] is None
    assert figures["rows"]["no_aas"]["worse"] is True
    off = [figures["rows"][name]["sharpness_off_last"] for name in ("no_aas", "full")]
    assert off[0] > off[1]
    assert len(figures["rows"]["no_aas"]["persons"]) == 3
    assert list(figures["not_measured"]) == ["clean_kv", "no_distillation"]
    assert "--checkpoint-of no_distillation=FOLDER" in figures["not_measured"]["no_distillation"]
