"""The reply of one turn on its way from sentences to samples that were sent."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from avatar_nodes.sound.loudness import louder
from avatar_nodes.sound.sample_sender import SampleRun, SampleSender
from avatar_nodes.speaking.speech_track import SpeechTrack
from avatar_nodes.speaking.turn_stream import new_stream

MAX_REPLY_S = 600.0
"""Seconds of sound of one reply at most; it is kept in memory."""


@dataclass(frozen=True)
class SpeechRun:
    """Samples of a reply to be sent."""

    turn: int
    stream: str
    run: SampleRun
    first_sound_s: float | None = None
    """With a reply's first samples: seconds since it began."""

    def at_volume(self, volume: float) -> SpeechRun:
        """The same, `volume` times as loud."""
        return replace(self, run=replace(self.run, samples=louder(self.run.samples, volume)))


@dataclass
class SpokenReply:
    """What is known and made of one reply; whoever changes it holds its owner's lock."""

    turn: int
    sender: SampleSender
    track: SpeechTrack
    began: float
    """When it began, with its first sentence [s]."""
    stream: str = ""
    sent: bool = False
    """Something of it went out, so that its stream must be ended."""
    end_sent: bool = False
    dropped: bool = False
    """It was cancelled or replaced: nothing more of it goes out."""
    sounded: bool = False
    """Some of its samples were sent."""

    @classmethod
    def begin(
        cls, turn: int, *, now: float, sample_rate: int, chunk_samples: int, lead_samples: int
    ) -> SpokenReply:
        """A reply of which nothing is spoken yet, with a stream of its own."""
        track = SpeechTrack()
        sender = SampleSender(
            track,
            sample_rate=sample_rate,
            chunk_samples=chunk_samples,
            realtime=False,
            lead_samples=lead_samples,
        )
        return cls(turn, sender, track, now, stream=new_stream(turn))

    @property
    def ahead(self) -> int:
        """Samples made and not sent."""
        return max(0, self.track.end - self.sender.next_sample)

    def poll(self, now: float) -> list[SpeechRun]:
        """What is to be sent now."""
        runs = [SpeechRun(self.turn, self.stream, run) for run in self.sender.poll(now)]
        if runs:
            self.sent = True
            self.end_sent = runs[-1].run.end_of_stream
            if not self.sounded and len(runs[0].run.samples):
                self.sounded = True
                runs[0] = replace(runs[0], first_sound_s=now - self.began)
        return runs

    def drop(self) -> SpeechRun | None:
        """End it where it is; what is to be sent so that its stream has an end, if any."""
        self.dropped = True
        self.track.finish()
        if not self.sent or self.end_sent:
            return None
        self.end_sent = True
        end = SampleRun(self.sender.next_sample, np.zeros(0, np.int16), end_of_stream=True)
        return SpeechRun(self.turn, self.stream, end)
