"""Speed of the graph and of the loop in one process: same profile, sound and machine."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import torch

from avatar_nodes.block.audio_window import split_blocks
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.process_log import ProcessLog
from avatar_nodes.graph.runner import GraphRunner
from avatar_nodes.machine.process_usage import Usage, UsageMeter
from avatar_nodes.pipeline.in_process import start_pipeline
from avatar_nodes.profile import Profile

if TYPE_CHECKING:
    from diagnostic_msgs.msg import DiagnosticStatus

    from avatar_msgs.msg import AvatarState, BlockCredit

WARM_UP_BLOCKS = 8

_DONE = "all blocks were presented"
_MEASURED = ("denoiser", "decoder")
_REPORT_PATIENCE_S = 30.0


class BenchmarkError(RuntimeError):
    """A run that gave no figures; one line."""


@dataclass(frozen=True)
class GraphFigures:
    """What a run of the graph gave; times in milliseconds, by node."""

    fps: float
    stage_ms: dict[str, dict[str, float]]
    hop_ms: dict[str, dict[str, float]]
    processes: dict[str, Usage]
    epochs: int

    def hop_quantile(self, name: str) -> float | None:
        """Over all hops: the median of their medians, the worst of their p99."""
        values = [hop[name] for hop in self.hop_ms.values() if name in hop]
        if not values:
            return None
        return statistics.median(values) if name == "p50" else max(values)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "graph_fps": round(self.fps, 2),
            "stage_ms": self.stage_ms,
            "hop_ms": self.hop_ms,
            "hop_ms_p50": self.hop_quantile("p50"),
            "hop_ms_p99": self.hop_quantile("p99"),
            "processes": {
                name: {"cpu_percent": usage.cpu_percent} | asdict(usage.memory)
                for name, usage in self.processes.items()
            },
            "epochs": self.epochs,
        }


def benchmark_sound(blocks: int, timing: BlockTiming) -> np.ndarray:
    """Noise that rises and falls like syllables, int16 [blocks * samples a block]; content costs
    nothing.
    """
    count = blocks * timing.samples_per_block
    noise = np.random.default_rng(0).standard_normal(count)
    syllables = np.maximum(np.sin(np.arange(count) * (2 * np.pi * 4 / timing.sample_rate)), 0.0)
    return np.clip(noise * syllables * 3000.0, -32768, 32767).astype(np.int16)


class GraphBenchmark:
    """One unpaced run of the graph, without a recorder."""

    def __init__(
        self,
        profile: Profile,
        *,
        blocks: int,
        namespace: str,
        log: ProcessLog | None = None,
        **graph: Any,
    ) -> None:
        self._profile = profile
        self._timing = profile.timing
        self._blocks = blocks
        self._namespace = namespace
        self._graph_options = graph
        self._log = log
        self._meter = UsageMeter()
        self._marks: list[tuple[float, int]] = []  # (seconds, frames presented) after warm-up
        self._epochs: set[int] = set()
        self._usage: dict[str, Usage] = {}

    def run(self) -> GraphFigures:
        """Start the graph, let it work through the sound, stop it.

        Raises:
            BenchmarkError: it could not start, or ended before the sound did.
        """
        with tempfile.TemporaryDirectory(prefix="avatar_bench_") as folder:
            audio = Path(folder) / "sound.wav"
            sound = benchmark_sound(self._blocks, self._timing)
            soundfile.write(audio, sound, self._timing.sample_rate)
            graph = Graph.from_profile(
                self._profile,
                mode="render",
                namespace=self._namespace,
                audio=audio,
                **self._graph_options,
            )
            self._runner = GraphRunner(
                graph,
                log_level="warn",
                log=self._log,
                own_namespace=True,
                on_state=self._on_state,
                on_credit=self._on_credit,
            )
            self._last_block = graph.profile.stream.first_block + self._blocks - 1
            self._measured = {node.name for node in graph.nodes if node.kind in _MEASURED}
            self._first_block = graph.profile.stream.first_block
            outcome = self._runner.run()
        if outcome.reason != _DONE or len(self._marks) < 2:
            raise BenchmarkError(outcome.reason)
        return self._figures()

    def _on_credit(self, credit: BlockCredit) -> None:
        """Note when which frame was presented, once the pipeline is full."""
        done = credit.presented_block - self._first_block + 1
        if done < min(WARM_UP_BLOCKS, self._blocks // 2):
            return
        self._marks.append((time.monotonic(), done * self._timing.frames_per_block))
        if not self._meter.started and self._runner.supervisor is not None:
            self._meter.start(self._runner.supervisor.pids)
        if credit.presented_block >= self._last_block:
            self._usage = self._meter.read()
            threading.Thread(target=self._stop_when_reported, daemon=True).start()

    def _stop_when_reported(self) -> None:
        """Nodes report once a second, which may be longer than all of the work took."""
        deadline = time.monotonic() + _REPORT_PATIENCE_S
        while time.monotonic() < deadline:
            if self._measured <= _quantiles(self._runner.observer.diagnostics(), "stage_ms").keys():
                break
            time.sleep(0.05)
        self._runner.stop(_DONE)

    def _on_state(self, state: AvatarState) -> None:
        if state.epoch:
            self._epochs.add(int(state.epoch))

    def _figures(self) -> GraphFigures:
        (start_s, first), (end_s, last) = self._marks[0], self._marks[-1]
        reports = self._runner.observer.diagnostics()
        return GraphFigures(
            fps=(last - first) / (end_s - start_s),
            stage_ms=_quantiles(reports, "stage_ms"),
            hop_ms=_quantiles(reports, "hop_ms"),
            processes=self._usage,
            epochs=len(self._epochs),
        )


def _quantiles(reports: Mapping[str, DiagnosticStatus], name: str) -> dict[str, dict[str, float]]:
    """`{node: {p50, p99}}` of a distribution that nodes report as `NAME_p50` and `NAME_p99`."""
    found: dict[str, dict[str, float]] = {}
    for node, status in reports.items():
        values = {value.key: value.value for value in status.values}
        parts = {q: float(values[f"{name}_{q}"]) for q in ("p50", "p99") if f"{name}_{q}" in values}
        if parts:
            found[node] = parts
    return found


def in_process_fps(graph: Graph, *, blocks: int, threads: int) -> float:
    """Frames per second of the loop, its warm-up left out.

    Raises:
        InProcessError: the profile's parts do not fit together.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        pipeline, timing = start_pipeline(graph), graph.profile.timing
        warm_up = min(WARM_UP_BLOCKS, blocks // 2)
        sound = benchmark_sound(blocks, timing)
        for number, block in enumerate(split_blocks(sound, timing.samples_per_block)):
            if number == warm_up:
                start = time.monotonic()
            pipeline.render_block(block)
        return (blocks - warm_up) * timing.frames_per_block / (time.monotonic() - start)
    finally:
        torch.set_num_threads(before)
