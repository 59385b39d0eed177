"""Figures of a run of turns: quantiles, counts, memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from avatar_nodes.bench.memory_trend import MemoryTrend
from avatar_nodes.bench.turn.cut import BargeIn, Cut
from avatar_nodes.bench.turn.leak import Leak
from avatar_nodes.bench.turn.rest import Rest
from avatar_nodes.timeline.turn_timeline import TurnTimeline


@dataclass
class TurnFigures:
    """All figures of a run; seconds."""

    timelines: list[TurnTimeline] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    """One for every reply that was heard and then held."""
    pipeline_s: list[float] = field(default_factory=list)
    """Time of every block from its issue until its first frame could be shown."""
    leaks: list[Leak] = field(default_factory=list)
    """Frames of replies that were heard later after the cut than allowed."""
    ignored: int = 0
    """Visitors who were detected while a reply was heard, and did not stop it."""
    barge_ins: list[tuple[str, BargeIn | None]] = field(default_factory=list)
    """The state in which each was meant to come, and what came; None: not noticed at all."""
    coughs: Counter[str] = field(default_factory=Counter)
    """Outcomes of the replies into which somebody coughed; see `TurnWitness.became`."""
    prompt_to_action_s: list[float] = field(default_factory=list)
    """From the intent to the first frame under its prompt."""
    steps: Counter[str] = field(default_factory=Counter)
    """Steps taken, by kind."""
    unanswered: int = 0
    """Questions that the avatar did not answer."""
    stuck: int = 0
    """Steps after which the avatar did not come back to rest in time, or only because the conductor
    ended what did not end."""
    rests: list[Rest] = field(default_factory=list)
    """One for every step after which the avatar rested."""
    watchdogs: Counter[str] = field(default_factory=Counter)
    """Phases that the conductor ended because they had lasted too long."""
    refused: int = 0
    """Wishes of the operator that were not carried out."""
    memory: MemoryTrend = field(default_factory=MemoryTrend)
    """Memory of every process, before the first step and after each."""
    restarts: int = 0
    """Restarts of the graph's processes."""
    sync: dict[str, Any] | None = None
    """See `TurnWitness.sync`."""
    complete: bool = True
    """Every step was taken."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; null where nothing was measured."""
        answered = [t.durations() for t in self.timelines]
        sound = [d["to_first_sound"] for d in answered if "to_first_sound" in d]
        frame = [d["to_first_frame"] for d in answered if "to_first_frame" in d]
        parts = sorted({name for d in answered for name in d})
        stops_ms = [1000.0 * cut.sound_s for cut in self.cuts]
        mouths = [cut.mouth_s for cut in self.cuts]
        closed = [cut.closed_s for cut in self.cuts if cut.closed_s is not None]
        back = [rest.back_s for rest in self.rests if rest.back_s is not None]
        slopes = self.memory.slopes()
        return {
            "turns": len(self.timelines),
            "answered": len(frame),
            "unanswered": self.unanswered,
            "interruptions": len(self.cuts),
            "stuck": self.stuck,
            "rest_s_p50": quantile(back, 50),
            "rest_s_max": quantile(back, 100),
            "wait_s_max": quantile([rest.waited_s for rest in self.rests], 100),
            "listened_alone_s_max": quantile([rest.alone_s for rest in self.rests], 100),
            "watchdogs": dict(sorted(self.watchdogs.items())),
            "restarts": self.restarts,
            "refused": self.refused,
            "complete": self.complete,
            "first_sound_s_p50": quantile(sound, 50),
            "first_sound_s_p90": quantile(sound, 90),
            "first_frame_s_p50": quantile(frame, 50),
            "first_frame_s_p90": quantile(frame, 90),
            "barge_in_sound_ms_p50": quantile(stops_ms, 50),
            "barge_in_sound_ms_max": quantile(stops_ms, 100),
            "barge_in_mouth_s_p50": quantile(mouths, 50),
            "barge_in_mouth_s_max": quantile(mouths, 100),
            "barge_in_mouth_allowed_s": quantile([cut.allowed_s for cut in self.cuts], 100),
            "barge_in_mouth_late": sum(cut.mouth_late for cut in self.cuts),
            "barge_in_blocks_ahead_max": max((cut.blocks_ahead for cut in self.cuts), default=None),
            "barge_in_mouth_closed_s_p50": quantile(closed, 50),
            "barge_in_mouth_closed_s_max": quantile(closed, 100),
            "barge_in_mouth_closed_late": sum(cut.closed_late for cut in self.cuts),
            "pipeline_s_p50": quantile(self.pipeline_s, 50),
            "pipeline_s_p90": quantile(self.pipeline_s, 90),
            "barge_in_leaked_samples": sum(leak.samples for leak in self.leaks),
            "barge_in_leaks": [leak.as_dict() for leak in self.leaks],
            "barge_in_ignored": self.ignored,
            "coughs": dict(sorted(self.coughs.items())),
            "prompt_to_action_s_p50": quantile(self.prompt_to_action_s, 50),
            "steps": dict(sorted(self.steps.items())),
            "barge_ins": self._barge_ins(),
            "memory_mib": self.memory.at_times(),
            "memory_mib_per_h": {name: line.mib_per_h for name, line in slopes.items()},
            "memory_mib_per_h_error": {name: line.error for name, line in slopes.items()},
            "memory_flat": self.memory.flat,
            "memory_samples_mib": self.memory.as_dict(),
            "sync": self.sync,
            "parts_s_p50": {
                name: quantile([d[name] for d in answered if name in d], 50) for name in parts
            },
        }

    def _barge_ins(self) -> dict[str, Any]:
        """For each state in which they were meant to come: their number, the number that held a
        reply, and the states that the avatar showed when it noticed and a second later."""
        table: dict[str, Any] = {}
        for meant in dict.fromkeys(meant for meant, _ in self.barge_ins):
            seen = [found for name, found in self.barge_ins if name == meant]
            noticed = [found for found in seen if found is not None]
            table[meant] = {
                "count": len(seen),
                "noticed": len(noticed),
                "held": sum(found.held for found in noticed),
                "shown_before": dict(Counter(found.before for found in noticed)),
                "shown_after": dict(Counter(found.after for found in noticed)),
            }
        return table


def quantile(values: Sequence[float], percent: int) -> float | None:
    """A percentile of values; None: there are none."""
    return round(float(np.percentile(values, percent)), 4) if values else None
