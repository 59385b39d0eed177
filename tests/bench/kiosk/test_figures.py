"""What the benchmark of the page makes of the browser's statistics."""

from __future__ import annotations

import pytest

from avatar_nodes.bench.kiosk.figures import KioskFigures, Look
from avatar_nodes.bench.kiosk.playout_offset import PlayoutOffset


def _look(
    elapsed_s: float, frames: int, *, lives: int = 1, offset: float | None = 0.0,
    moved: float | None = 0.0,
) -> Look:  # fmt: skip
    return Look(
        elapsed_s, lives, 3, 2, frames, 1, 5, offset, moved, 0.01, {"kiosk": 100.0 + elapsed_s}
    )


def test_a_look_is_read_from_the_browser_s_statistics() -> None:
    video = {"framesDecoded": 250, "freezeCount": 2, "packetsLost": 3}
    audio = {
        "packetsLost": 4, "concealedSamples": 900, "silentConcealedSamples": 400,
        "totalSamplesReceived": 50_000,
    }  # fmt: skip
    page = {"lives": 1, "asked": 5, "answered": 4, "video": video, "audio": audio}
    offset = PlayoutOffset()
    look = Look.from_page(10.0, page, {"kiosk": 1.0}, offset)
    assert (look.frames, look.freezes, look.lost_packets) == (250, 2, 7)
    assert look.concealed == pytest.approx(0.01)
    assert (look.av_offset_ms, look.av_moved_ms) == (None, None)
    stamps = {"video_rtp": 90_000, "video_ms": 5000.0, "audio_rtp": 7, "audio_ms": 5000.0}
    page["playout"] = [{"estimate": estimate, **stamps} for estimate in (40.0, 20.0, None, 90.0)]
    look = Look.from_page(20.0, page, {}, offset)
    assert (look.av_offset_ms, look.av_moved_ms) == (40.0, None)
    bare = Look.from_page(1.0, {"lives": 2, "asked": 0, "answered": 0}, {}, offset)
    assert (bare.frames, bare.av_offset_ms, bare.concealed) == (0, None, 0.0)


def test_rates_leave_out_where_the_page_came_anew() -> None:
    looks = [_look(10, 250), _look(20, 500), _look(30, 40, lives=2), _look(40, 280, lives=2)]
    found = KioskFigures(page_ms=100.0, offer_ms=150.0, frame_ms=400.0, looks=looks).as_dict()
    assert (found["frames_per_s_mean"], found["frames_per_s_min"]) == (24.5, 24.0)
    assert found["reconnects"] == 1
    assert found["connect_to_frame_ms"] == 250.0
    assert found["memory_mib_first"] == {"kiosk": 110.0}
    assert found["memory_mib_last"] == {"kiosk": 140.0}


def test_offsets_are_sizes_and_unknown_ones_left_out() -> None:
    offsets = (-30.0, 10.0, None, 20.0)
    looks = [_look(place, 0, offset=offset) for place, offset in enumerate(offsets)]
    found = KioskFigures(looks=looks).as_dict()
    assert (found["av_offset_ms_p50"], found["av_offset_ms_max"]) == (20.0, 30.0)
    assert KioskFigures(looks=[_look(1, 0, offset=None)]).as_dict()["av_offset_ms_p50"] is None


def test_how_far_the_offset_has_moved() -> None:
    looks = [_look(place, 0, moved=moved) for place, moved in enumerate((0.0, None, -12.0, 5.0))]
    found = KioskFigures(looks=looks).as_dict()
    keys = ("av_moved_ms_min", "av_moved_ms_max", "av_moved_ms_last")
    assert [found[key] for key in keys] == [-12.0, 5.0, 5.0]
