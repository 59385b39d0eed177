"""Sound without a gap: silence where something is missing, each sample at its time."""

from __future__ import annotations

import asyncio

import numpy as np

from avatar_nodes.web.media_hub import DEPTH, MediaHub, MediaSlot
from avatar_nodes.web.tracks import MediaClock, SoundTrack, VideoTrack

RATE, FRAME = 16_000, 640
SECOND = 1_000_000_000


def slot(number: int, *, late_s: float = 0.0) -> MediaSlot:
    """Slot `number`, whose every sample is `number + 1`."""
    stamp = 7 * SECOND + number * SECOND // 25 + round(late_s * SECOND)
    return MediaSlot(stamp, np.zeros((16, 16, 3), np.uint8), np.full(FRAME, number + 1, np.int16))


async def sound_of(track: SoundTrack, packets: int) -> np.ndarray:
    pieces = []
    for number in range(packets):
        frame = await track.recv()
        assert (frame.pts, frame.samples, frame.sample_rate) == (number * 320, 320, RATE)
        pieces.append(frame.to_ndarray()[0])
    return np.concatenate(pieces)


def test_slots_become_packets() -> None:
    async def run() -> None:
        hub = MediaHub()
        track = SoundTrack(hub, MediaClock(), sample_rate=RATE)
        track.begin()
        for number in range(5):
            hub.put(slot(number))
        sound = await sound_of(track, 10)
        assert (sound == np.repeat(np.arange(1, 6), FRAME)).all()

    asyncio.run(run())


def test_a_lost_slot_is_silence() -> None:
    async def run() -> None:
        hub = MediaHub()
        track = SoundTrack(hub, MediaClock(), sample_rate=RATE)
        track.begin()
        for number in (0, 1, 3, 4):
            hub.put(slot(number))
        sound = await sound_of(track, 10)
        assert (sound == np.repeat([1, 2, 0, 4, 5], FRAME)).all()

    asyncio.run(run())


def test_starving_is_silence_that_is_made_up_for() -> None:
    """What comes after a pause is heard with its picture, however much silence was sent."""

    async def run() -> None:
        hub = MediaHub()
        track = SoundTrack(hub, MediaClock(), sample_rate=RATE)
        track.begin()
        hub.put(slot(0))
        sound = [await sound_of(track, 2)]
        for _ in range(5):  # nothing comes: 100 ms of silence, each packet after its time
            sound.append((await track.recv()).to_ndarray()[0])
        for number in (5, 6):
            hub.put(slot(number))
        for _ in range(7):
            sound.append((await track.recv()).to_ndarray()[0])
        assert (np.concatenate(sound) == np.repeat([1, 0, 0, 0, 0, 6, 7], FRAME)).all()

    asyncio.run(run())


def test_a_jump_of_the_clock_is_no_hour_of_silence() -> None:
    async def run() -> None:
        hub = MediaHub()
        track = SoundTrack(hub, MediaClock(), sample_rate=RATE)
        track.begin()
        hub.put(slot(0))
        hub.put(slot(1, late_s=3600.0))
        hub.put(slot(2, late_s=3600.0))
        sound = await sound_of(track, 6)
        assert (sound == np.repeat([1, 2, 3], FRAME)).all()

    asyncio.run(run())


def test_a_clock_that_is_set_back_stops_neither_sound_nor_picture() -> None:
    """By more than the connection is old."""

    async def run() -> None:
        hub, clock = MediaHub(), MediaClock()
        video, track = VideoTrack(hub, clock), SoundTrack(hub, clock, sample_rate=RATE)
        video.begin()
        track.begin()
        for number in range(10):
            hub.put(slot(number, late_s=0.0 if number < 5 else -3600.0))
        sound = await asyncio.wait_for(sound_of(track, 20), 10.0)
        assert (sound == np.repeat(np.arange(1, 11), FRAME)).all()
        frames = [await video.recv() for _ in range(10)]
        assert [frame.pts for frame in frames] == [3600 * number for number in range(10)]

    asyncio.run(run())


def test_both_tracks_count_from_the_same_stamp() -> None:
    async def run() -> None:
        hub, clock = MediaHub(), MediaClock()
        video, sound = VideoTrack(hub, clock), SoundTrack(hub, clock, sample_rate=RATE)
        video.begin()
        sound.begin()
        hub.put(slot(0))
        hub.put(slot(1))
        frames = [await video.recv() for _ in range(2)]
        assert [float(frame.pts * frame.time_base) for frame in frames] == [0.0, 0.04]
        assert (await sound.recv()).pts == 0
        video.stop()
        sound.stop()
        assert not hub._readers

    asyncio.run(run())


def test_a_slow_viewer_loses_the_oldest_and_holds_nobody_back() -> None:
    async def run() -> None:
        hub = MediaHub()
        slow, quick = hub.join(), hub.join(depth=100)
        for number in range(DEPTH + 10):
            hub.put(slot(number))
        assert (slow.dropped, quick.dropped) == (10, 0)
        assert (await slow.next()).stamp_ns == slot(10).stamp_ns
        assert (await quick.next()).stamp_ns == slot(0).stamp_ns

    asyncio.run(run())


def test_what_was_shown_before_the_connection_stood_is_not_sent() -> None:
    async def run() -> None:
        hub, clock = MediaHub(), MediaClock()
        video, sound = VideoTrack(hub, clock), SoundTrack(hub, clock, sample_rate=RATE)
        hub.put(slot(0))
        asked = [asyncio.create_task(track.recv()) for track in (video, sound)]
        await asyncio.sleep(0)
        hub.put(slot(7))
        _, heard = await asyncio.gather(*asked)
        assert (heard.to_ndarray() == 8).all()
        video.stop()
        sound.stop()

    asyncio.run(run())
