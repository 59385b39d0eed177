"""Figures of a run of the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from avatar_nodes.bench.kiosk.playout_offset import Playout, PlayoutOffset


@dataclass(frozen=True)
class Look:
    """One look at the page and the graph's processes."""

    elapsed_s: float
    lives: int
    """Times that the page has connected."""
    asked: int
    answered: int
    """Turns of the visitor that were understood, and turns that the avatar spoke in."""
    frames: int
    """Pictures decoded since the page connected."""
    freezes: int
    lost_packets: int
    av_offset_ms: float | None
    """Sound after picture, as the browser estimates it (median since the look before); None: it
    does not say."""
    av_moved_ms: float | None
    """Movement of that offset since this connection settled, from the media that was played."""
    concealed: float
    """Share of the sound that the browser made up itself since it connected; silence not
    counted."""
    memory_mib: Mapping[str, float]

    @classmethod
    def from_page(
        cls, elapsed_s: float, found: Mapping[str, Any], memory_mib: Mapping[str, float],
        offset: PlayoutOffset,
    ) -> Look:  # fmt: skip
        """Reads the page's statistics (RTCInboundRtpStreamStats)."""
        video, audio = found.get("video", {}), found.get("audio", {})
        samples = [Playout.from_page(sample) for sample in found.get("playout", [])]
        made_up = audio.get("concealedSamples", 0) - audio.get("silentConcealedSamples", 0)
        return cls(
            elapsed_s=elapsed_s,
            lives=found["lives"],
            asked=found["asked"],
            answered=found["answered"],
            frames=video.get("framesDecoded", 0),
            freezes=video.get("freezeCount", 0),
            lost_packets=video.get("packetsLost", 0) + audio.get("packetsLost", 0),
            av_offset_ms=offset.estimate_ms(samples),
            av_moved_ms=offset.moved_ms(samples),
            concealed=made_up / max(1, audio.get("totalSamplesReceived", 0)),
            memory_mib=dict(memory_mib),
        )


@dataclass
class KioskFigures:
    """All looks of a run, and how the page began; milliseconds since it was asked for."""

    page_ms: float = 0.0
    offer_ms: float | None = None
    """Time at which its connection was begun."""
    frame_ms: float = 0.0
    """Time at which its first picture was shown."""
    looks: list[Look] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Pictures a second between two looks, where the page stayed connected."""
        return [
            (after.frames - before.frames) / (after.elapsed_s - before.elapsed_s)
            for before, after in pairwise(self.looks)
            if before.lives == after.lives
        ]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; null where nothing was measured."""
        offsets = [abs(look.av_offset_ms) for look in self.looks if look.av_offset_ms is not None]
        moved = [look.av_moved_ms for look in self.looks if look.av_moved_ms is not None]
        first, last = self.looks[0], self.looks[-1]
        rates = self.rates
        return {
            "seconds": round(last.elapsed_s, 1),
            "page_ms": round(self.page_ms, 1),
            "connect_to_frame_ms": (
                round(self.frame_ms - self.offer_ms, 1) if self.offer_ms else None
            ),
            "frames_per_s_mean": round(float(np.mean(rates)), 2) if rates else None,
            "frames_per_s_min": round(min(rates), 2) if rates else None,
            "av_offset_ms_p50": round(float(np.median(offsets)), 1) if offsets else None,
            "av_offset_ms_max": round(max(offsets), 1) if offsets else None,
            "av_moved_ms_min": round(min(moved), 1) if moved else None,
            "av_moved_ms_max": round(max(moved), 1) if moved else None,
            "av_moved_ms_last": round(moved[-1], 1) if moved else None,
            "freezes": last.freezes,
            "lost_packets": last.lost_packets,
            "concealed_percent": round(100.0 * last.concealed, 3),
            "reconnects": last.lives - 1,
            "asked": last.asked,
            "answered": last.answered,
            "memory_mib_first": {k: round(v, 1) for k, v in first.memory_mib.items()},
            "memory_mib_last": {k: round(v, 1) for k, v in last.memory_mib.items()},
        }
