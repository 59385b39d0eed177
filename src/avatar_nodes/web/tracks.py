"""Picture and sound as WebRTC tracks on the clock of their stamps, which never goes back."""

from __future__ import annotations

import asyncio
import fractions

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from avatar_nodes.web.media_hub import MediaHub, MediaReader, MediaSlot, ReaderClosedError
from avatar_nodes.web.sending_pace import SendingPace

_VIDEO_RATE = 90_000
_PACKET_S = 0.02
_STARVING_S = 0.2
_LONGEST_GAP_S = 1.0


class MediaClock:
    """Common begin of a viewer's two tracks, the first slot that one of them meets, and the time at
    which each later one leaves."""

    def __init__(self) -> None:
        self._origin_ns: int | None = None
        self.pace = SendingPace()

    def since_start(self, slot: MediaSlot, rate: int) -> int:
        """A slot's time in ticks of `rate` from the beginning; not below 0."""
        if self._origin_ns is None:
            self._origin_ns = slot.time_ns
        return max(0, round((slot.time_ns - self._origin_ns) * rate / 1_000_000_000))


class HubTrack(MediaStreamTrack):
    """Slots of the hub, from the first request on: a slot shown before the connection stood is not
    sent after it."""

    def __init__(self, hub: MediaHub, clock: MediaClock) -> None:
        super().__init__()
        self._hub = hub
        self._reader: MediaReader | None = None
        self._clock = clock

    def begin(self) -> MediaReader:
        """From now on slots wait; the first `recv` does this, too.

        Raises MediaStreamError: the track has ended.
        """
        if self.readyState != "live":
            raise MediaStreamError
        if self._reader is None:
            self._reader = self._hub.join()
        return self._reader

    def stop(self) -> None:
        """End it; no slot waits for it any more."""
        super().stop()
        if self._reader is not None:
            self._reader.close()


class VideoTrack(HubTrack):
    """Frames, each when it is due."""

    kind = "video"

    def __init__(self, hub: MediaHub, clock: MediaClock) -> None:
        super().__init__(hub, clock)
        self._newest = -1

    async def recv(self) -> VideoFrame:
        """The next frame, YUV 4:2:0."""
        try:
            slot = await self.begin().next()
        except ReaderClosedError:
            raise MediaStreamError from None
        if self.readyState != "live":
            raise MediaStreamError
        frame = VideoFrame.from_ndarray(slot.planes, format="yuv420p")
        at = self._clock.since_start(slot, _VIDEO_RATE)
        await asyncio.sleep(self._clock.pace.picture_waits_s(at / _VIDEO_RATE, _now_s()))
        self._newest = max(self._newest + 1, at)
        frame.pts, frame.time_base = self._newest, fractions.Fraction(1, _VIDEO_RATE)
        return frame


class SoundTrack(HubTrack):
    """Packets of 20 ms without a gap, each when it is due: where sound is missing, silence takes
    its place, so that what follows is heard with its picture."""

    kind = "audio"

    def __init__(self, hub: MediaHub, clock: MediaClock, *, sample_rate: int) -> None:
        super().__init__(hub, clock)
        self._rate = sample_rate
        self._count = round(_PACKET_S * sample_rate)
        self._buffer = np.zeros(0, np.int16)
        self._sent = 0
        self._origin: int | None = None
        self._starving = False

    async def recv(self) -> AudioFrame:
        """The next packet, int16 mono."""
        reader = self.begin()
        while len(self._buffer) < self._count:
            patience = _PACKET_S if self._starving else _STARVING_S
            try:
                self._take(await asyncio.wait_for(reader.next(), patience))
                self._starving = False
            except ReaderClosedError:
                raise MediaStreamError from None
            except asyncio.TimeoutError:
                if self._origin is not None:
                    self._starving = True
                    self._append(np.zeros(self._count, np.int16))
        await asyncio.sleep(self._due_in_s(reader))
        if self.readyState != "live":
            raise MediaStreamError
        samples, self._buffer = self._buffer[: self._count], self._buffer[self._count :]
        frame = AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = self._rate, self._sent
        frame.time_base = fractions.Fraction(1, self._rate)
        self._sent += self._count
        return frame

    def _due_in_s(self, reader: MediaReader) -> float:
        for slot in reader.waiting():
            self._take(slot)
        behind_s = (len(self._buffer) - self._count) / self._rate
        position_s = ((self._origin or 0) + self._sent) / self._rate
        return self._clock.pace.sound_waits_s(position_s, _now_s(), behind_s=behind_s)

    def _take(self, slot: MediaSlot) -> None:
        """Put a slot's sound where its stamp says, counted from the first one's."""
        at = self._clock.since_start(slot, self._rate)
        if self._origin is None:
            self._origin = at
        late = self._sent + len(self._buffer) - (at - self._origin)
        samples = slot.sound
        if abs(late) > round(_LONGEST_GAP_S * self._rate):  # another clock: begin anew
            self._origin += -late
        elif late > self._count // 2:
            samples = samples[late:]
        elif late < -(self._count // 2):
            self._append(np.zeros(-late, np.int16))
        self._append(samples)

    def _append(self, samples: np.ndarray) -> None:
        self._buffer = np.concatenate([self._buffer, samples])


def _now_s() -> float:
    return asyncio.get_running_loop().time()
