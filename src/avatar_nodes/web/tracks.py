"""The avatar's picture and sound as WebRTC tracks on one clock: that of the stamps."""

from __future__ import annotations

import asyncio
import fractions

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from avatar_nodes.web.media_hub import MediaHub, MediaSlot
from avatar_nodes.web.sending_pace import SendingPace

_VIDEO_RATE = 90_000
_PACKET_S = 0.02
_STARVING_S = 0.2
_LONGEST_GAP_S = 1.0


class MediaClock:
    """Where both tracks of a viewer begin: the first stamp that one of them meets."""

    def __init__(self) -> None:
        self._origin_ns: int | None = None

    def since_start(self, stamp_ns: int, rate: int) -> int:
        """A stamp in ticks of `rate` from the beginning; not below 0."""
        if self._origin_ns is None:
            self._origin_ns = stamp_ns
        return max(0, round((stamp_ns - self._origin_ns) * rate / 1_000_000_000))


class VideoTrack(MediaStreamTrack):
    """Frames as they come."""

    kind = "video"

    def __init__(self, hub: MediaHub, clock: MediaClock) -> None:
        super().__init__()
        self._reader = hub.join()
        self._clock = clock
        self._newest = -1

    async def recv(self) -> VideoFrame:
        """The next frame, YUV 4:2:0."""
        slot = await self._reader.next()
        if self.readyState != "live":
            raise MediaStreamError
        frame = VideoFrame.from_ndarray(slot.planes, format="yuv420p")
        self._newest = max(self._newest + 1, self._clock.since_start(slot.stamp_ns, _VIDEO_RATE))
        frame.pts, frame.time_base = self._newest, fractions.Fraction(1, _VIDEO_RATE)
        return frame

    def stop(self) -> None:
        """End it; no slot waits for it any more."""
        super().stop()
        self._reader.close()


class SoundTrack(MediaStreamTrack):
    """Packets of 20 ms without a gap, each when it is due: where sound is missing, silence takes
    its place, so that what follows is heard with its picture."""

    kind = "audio"

    def __init__(self, hub: MediaHub, clock: MediaClock, *, sample_rate: int) -> None:
        super().__init__()
        self._reader = hub.join()
        self._clock = clock
        self._rate = sample_rate
        self._count = round(_PACKET_S * sample_rate)
        self._buffer = np.zeros(0, np.int16)
        self._pace = SendingPace()
        self._sent = 0
        self._origin: int | None = None
        self._starving = False

    async def recv(self) -> AudioFrame:
        """The next packet, int16 mono."""
        while len(self._buffer) < self._count:
            patience = _PACKET_S if self._starving else _STARVING_S
            try:
                self._take(await asyncio.wait_for(self._reader.next(), patience))
                self._starving = False
            except asyncio.TimeoutError:
                if self._origin is not None:
                    self._starving = True
                    self._append(np.zeros(self._count, np.int16))
        await asyncio.sleep(self._due_in_s())
        if self.readyState != "live":
            raise MediaStreamError
        samples, self._buffer = self._buffer[: self._count], self._buffer[self._count :]
        frame = AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = self._rate, self._sent
        frame.time_base = fractions.Fraction(1, self._rate)
        self._sent += self._count
        return frame

    def _due_in_s(self) -> float:
        for slot in self._reader.waiting():
            self._take(slot)
        behind_s = (len(self._buffer) - self._count) / self._rate
        now_s = asyncio.get_running_loop().time()
        return self._pace.wait_s(self._sent / self._rate, now_s, behind_s=behind_s)

    def _take(self, slot: MediaSlot) -> None:
        """Put a slot's sound where its stamp says, counted from the first one's."""
        at = self._clock.since_start(slot.stamp_ns, self._rate)
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

    def stop(self) -> None:
        """End it; no slot waits for it any more."""
        super().stop()
        self._reader.close()
